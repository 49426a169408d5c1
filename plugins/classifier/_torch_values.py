"""The values in a TorchScript archive: whether they are what PyTorch takes them for.

PyTorch keeps a program's weights, settings and modules in ``data.pkl`` and ``constants.pkl``. It reads these with a
reader of its own, which makes tensors and objects only, but believes what it reads. A tensor that is larger than its
storage reads and writes other memory, and so does an object that is not of the class that the program declares. Here
the same files are read into plain values, which are compared with the sizes of the storages and with the classes.
"""

import ast
import math
import pickletools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Value = TypeVar("Value")

# Storages, and the size of their elements.
_STORAGES = {
    **dict.fromkeys(("BoolStorage", "ByteStorage", "CharStorage"), 1),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    "ComplexDoubleStorage": 16,
}
_MOST_ELEMENTS = 1 << 40  # of a tensor, where several are in one place
_CAST = "unchecked_cast"
_REBUILD = "torch._utils _rebuild_tensor_v2"
_LISTS = {f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool", "tensor")}
_PLAIN = {"int": int, "float": float, "bool": bool, "str": str, "complex": complex, "NoneType": type(None)}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class ValuesError(ValueError):
    """Values are not what a program says that they are. The message reads as "holds ..."."""


class _Global(NamedTuple):
    """A function or class that is named."""

    name: str


class _Storage(NamedTuple):
    size: int  # elements


class _Tensor:
    """A tensor within its storage."""


class _Device:
    """A device."""


@dataclass
class _Object:
    """An object of a class of the program, and its attributes."""

    kind: str
    attributes: dict[Any, Any] = field(default_factory=dict)


def check(parts: Mapping[str, bytes], code: Mapping[str, str]) -> None:
    """Compare the values in an archive with its storages, and with the classes in its code.

    Parameters
    ----------
    parts
        Of the archive, by their names in it.
    code
        The programs among them, by their names.

    Raises
    ------
    ValuesError
        They do not fit, or PyTorch reads them in a way that is not known here.
    """
    programs = {name: _parsed(text) for name, text in code.items()}
    for program in programs.values():
        _check_casts(program)
    classes = _unique(_classes(programs), "code that declares the class")
    for name in ("data", "constants"):
        prefix = f"{name}/"
        reader = _Reader({each.removeprefix(prefix): len(parts[each]) for each in parts if each.startswith(prefix)})
        try:
            reader.read(parts[f"{name}.pkl"])
        except ValuesError:
            raise
        except Exception:  # damage shows as whatever the stack makes of it
            raise ValuesError("holds damaged values") from None
        for each in reader.objects:
            _check_object(each, classes)


# --- Programs -------------------------------------------------------------------------------------------------------


def _parsed(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValuesError("holds code that is no TorchScript") from None


def _check_casts(program: ast.Module) -> None:
    """Refuse casts, which PyTorch does not check, but for those of an argument that may be None, and to plain types."""
    functions = [each for each in ast.walk(program) if isinstance(each, ast.FunctionDef)]
    allowed = sum(_is_safe_cast(each, function) for function in functions for each in ast.walk(function))
    if allowed != sum(isinstance(each, ast.Name) and each.id == _CAST for each in ast.walk(program)):
        raise ValuesError(f"holds {_CAST!r} in a form that PyTorch does not write")


def _is_safe_cast(found: ast.AST, function: ast.FunctionDef) -> bool:
    match found:
        case ast.Call(func=ast.Name(id=name), args=[kind, value], keywords=[]) if name == _CAST:
            types = {each.arg: each.annotation for each in function.args.args}
            argument = types.get(value.id) if isinstance(value, ast.Name) else None
            optional = argument is not None and ast.unparse(argument) == f"Optional[{ast.unparse(kind)}]"
            return optional or _is_plain(kind)
    return False


def _is_plain(kind: ast.expr) -> bool:
    """Tell whether a type has no classes or tuples in it. Of these, PyTorch looks for parts without a check."""
    match kind:
        case ast.Name(id=name):
            return name in _PLAIN or name in ("Tensor", "Device", "number")
        case ast.Subscript(value=ast.Name(id="Optional" | "List"), slice=inner):
            return _is_plain(inner)
        case ast.Subscript(value=ast.Name(id="Dict"), slice=ast.Tuple(elts=inner)):
            return all(map(_is_plain, inner))
    return False


def _classes(programs: Mapping[str, ast.Module]) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield the classes of programs by their full names, with the types of their attributes."""
    for name, program in programs.items():
        module = name.removeprefix("code/").removesuffix(".py").replace("/", ".")
        for statement in program.body:
            if isinstance(statement, ast.ClassDef):
                yield f"{module}.{statement.name}", _attributes(statement)


def _attributes(declared: ast.ClassDef) -> dict[str, ast.expr]:
    return _unique(filter(None, map(_declaration, declared.body)), f"a class {declared.name[:60]!r} that declares")


def _unique(pairs: Iterable[tuple[str, Value]], holder: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in pairs:
        if name in found:
            raise ValuesError(f"holds {holder} {name[:60]!r} twice")
        found[name] = value
    return found


def _declaration(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return the attribute that a statement declares, and its type; None for constants and methods."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=None):
            return name, kind
        case ast.Assign(targets=[ast.Subscript(ast.Name(id="__annotations__"), ast.Constant(str(name)))], value=kind):
            return name, kind
    return None


def _check_object(found: _Object, classes: Mapping[str, Mapping[str, ast.expr]]) -> None:
    declared = classes.get(found.kind)
    if declared is None:
        raise ValuesError(f"holds an object of {found.kind[:60]!r}, a class that its code does not have")
    if declared.keys() != found.attributes.keys():
        raise ValuesError(f"holds an object of {found.kind[:60]!r} with other attributes than its class has")
    for name, kind in declared.items():
        if not _fits(found.attributes[name], kind):
            raise ValuesError(f"holds {name[:60]!r} of another type than its class says, {ast.unparse(kind)[:60]!r}")


def _fits(value: Any, kind: ast.expr) -> bool:
    """Tell whether a value is of a type, as TorchScript writes types."""
    match kind:
        case ast.Name(id="Tensor"):
            return isinstance(value, _Tensor)
        case ast.Name(id="Device"):
            return isinstance(value, _Device)
        case ast.Name(id=name):
            return type(value) is _PLAIN.get(name)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return value is None or _fits(value, inner)
        case ast.Subscript(value=ast.Name(id="List"), slice=inner):
            return isinstance(value, list) and all(_fits(each, inner) for each in value)
        case ast.Subscript(value=ast.Name(id="Dict"), slice=ast.Tuple(elts=[key, inner])):
            return isinstance(value, dict) and all(_fits(k, key) and _fits(v, inner) for k, v in value.items())
        case ast.Subscript(value=ast.Name(id="Tuple"), slice=inner):
            kinds = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return type(value) is tuple and len(value) == len(kinds) and all(map(_fits, value, kinds))
        case ast.Attribute():
            return isinstance(value, _Object) and value.kind == ast.unparse(kind)
    return False


# --- Values ---------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads a stream of values, as PyTorch does; `objects` are those of classes of the program.

    The stream is in the format of pickles, of which it has the instructions that make values, and named functions
    that make tensors and lists. Nothing is called: what is not known here is refused.
    """

    def __init__(self, storages: Mapping[str, int]) -> None:
        self._storages = storages  # sizes in bytes
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._kept: dict[int, Any] = {}
        self.objects: list[_Object] = []

    def read(self, content: bytes) -> None:
        """Read a whole stream."""
        end = -1
        for instruction, argument, place in pickletools.genops(content):
            self._do(instruction.name, argument)
            end = place or 0
        if end + 1 != len(content) or len(self._stack) != 1 or self._marks:
            raise ValuesError("holds values, and something behind them")

    def _do(self, instruction: str, argument: Any) -> None:
        stack = self._stack
        match instruction:
            case "PROTO" | "STOP":
                pass
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append(_CONSTANTS[instruction])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE":
                stack.append(argument)
            case "BINPUT" | "LONG_BINPUT":
                self._kept[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._kept[argument])
            case "MARK":
                self._marks.append(len(stack))
            case "EMPTY_TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._popped(_TUPLES[instruction])))
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "EMPTY_LIST" | "EMPTY_DICT":
                stack.append([] if instruction == "EMPTY_LIST" else {})
            case "APPEND" | "APPENDS":
                values = self._marked() if instruction == "APPENDS" else self._popped(1)
                _only(stack[-1], list).extend(values)
            case "SETITEM" | "SETITEMS":
                values = self._marked() if instruction == "SETITEMS" else self._popped(2)
                _only(stack[-1], dict).update(zip(values[::2], values[1::2], strict=True))
            case "GLOBAL":
                stack.append(_Global(argument))
            case "BINPERSID":
                stack.append(self._storage(*self._popped(1)))
            case "REDUCE":
                stack.append(self._called(*self._popped(2)))
            case "NEWOBJ":
                stack.append(self._object(*self._popped(2)))
            case "BUILD":
                (attributes,) = self._popped(1)
                _only(stack[-1], _Object).attributes = _only(attributes, dict)
            case _:
                raise ValuesError(f"holds values with {instruction!r}, which TorchScript does not write")

    def _popped(self, count: int) -> list[Any]:
        if count > len(self._stack) - (self._marks[-1] if self._marks else 0):
            raise ValuesError("holds damaged values")
        start = len(self._stack) - count
        found = self._stack[start:]
        del self._stack[start:]
        return found

    def _marked(self) -> list[Any]:
        start = self._marks.pop()
        found = self._stack[start:]
        del self._stack[start:]
        return found

    def _storage(self, said: Any) -> _Storage:
        word, kind, key, device, size = said
        width = _STORAGES.get(kind.name.removeprefix("torch ")) if isinstance(kind, _Global) else None
        if word != "storage" or width is None or type(size) is not int or not isinstance(device, str):
            raise ValuesError("holds a storage of an unknown kind")
        if size < 0 or (size and size * width > self._storages.get(key, 0)):
            raise ValuesError(f"holds a storage {key!r:.60} that is larger than its part of the archive")
        return _Storage(size)

    def _object(self, kind: Any, arguments: Any) -> _Object:
        name = _only(kind, _Global).name.replace(" ", ".")
        if arguments != () or not name.startswith("__torch__."):
            raise ValuesError(f"holds an object of {name[:60]!r}, a class that its code does not have")
        self.objects.append(_Object(name))
        return self.objects[-1]

    def _called(self, function: Any, arguments: Any) -> Any:
        """Return what one of the known functions gives."""
        name = _only(function, _Global).name
        if name == _REBUILD:
            return _tensor(*arguments)
        if name in _LISTS:
            (values,) = arguments
            return _only(values, list)
        match name, arguments:
            case "torch.jit._pickle restore_type_tag", (list() | dict() as values, str()):
                return values
            case "collections OrderedDict", ():
                return {}
            case "torch device", (str(),):
                return _Device()
            case "builtins complex", (float() as real, float() as imaginary):
                return complex(real, imaginary)
        raise ValuesError(f"holds a call of {name[:60]!r}, which is not among those that make values")


def _only(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValuesError("holds damaged values")
    return value


def _tensor(storage: Any, offset: Any, sizes: Any, strides: Any, *_: Any) -> _Tensor:
    """Return a tensor that lies in its storage, or refuse it."""
    numbers = [offset, *_only(sizes, tuple), *_only(strides, tuple)]
    if any(type(each) is not int or each < 0 for each in numbers) or len(sizes) != len(strides):
        raise ValuesError("holds a tensor of an odd shape")
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    within = last < _only(storage, _Storage).size or 0 in sizes
    if not within or math.prod(sizes) > _MOST_ELEMENTS:
        raise ValuesError("holds a tensor that reaches beyond its storage")
    return _Tensor()

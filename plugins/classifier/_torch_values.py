"""Check that the values in a TorchScript archive have the declared types and sizes.

PyTorch stores a program's weights, settings and modules in ``data.pkl`` and ``constants.pkl``. Its own reader creates
only tensors and objects, but does not check them. A tensor that is larger than its storage reads and writes other
memory. So does an object whose class differs from the class that the program declares.

This module reads the same files into plain values. It compares them with the sizes of the storages and with the
declared classes.
"""

import ast
import math
import pickletools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Value = TypeVar("Value")

# Storage types, with the size of an element in bytes.
_STORAGES = {
    **dict.fromkeys(("BoolStorage", "ByteStorage", "CharStorage"), 1),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    "ComplexDoubleStorage": 16,
}
_MOST_ELEMENTS = 1 << 40  # of a tensor; strides of 0 let many elements share one place
_CAST = "unchecked_cast"
_REBUILD = "torch._utils _rebuild_tensor_v2"
_LISTS = {f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool", "tensor")}
_PLAIN = {"int": int, "float": float, "bool": bool, "str": str, "complex": complex, "NoneType": type(None)}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class ValuesError(ValueError):
    """An error for values that contradict the program. The message begins with a verb, as in "holds ..."."""


class _Global(NamedTuple):
    """A reference to a function or class by its name."""

    name: str


class _Storage(NamedTuple):
    size: int  # elements


class _Tensor:
    """A tensor that fits into its storage."""


class _Device:
    """A device."""


@dataclass
class _Object:
    """An object of a class in the program, with its attributes."""

    kind: str
    attributes: dict[Any, Any] = field(default_factory=dict)


def check(parts: Mapping[str, bytes], code: Mapping[str, str]) -> None:
    """Compare the values in an archive with its storages and with the classes in its code.

    Parameters
    ----------
    parts
        The parts of the archive by name.
    code
        The text of the parts that are programs, by name.

    Raises
    ------
    ValuesError
        The values do not fit, or they are in a form that this module does not know.
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
        except Exception:  # damage can raise any error of the reader
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
    """Refuse unsafe casts, because PyTorch does not check them.

    A cast is safe if its type is plain, or if it casts an argument of type ``Optional[T]`` to ``T``.
    """
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
    """Return whether a type contains no classes and no tuples. PyTorch accesses their parts without a check."""
    match kind:
        case ast.Name(id=name):
            return name in _PLAIN or name in ("Tensor", "Device", "number")
        case ast.Subscript(value=ast.Name(id="Optional" | "List"), slice=inner):
            return _is_plain(inner)
        case ast.Subscript(value=ast.Name(id="Dict"), slice=ast.Tuple(elts=inner)):
            return all(map(_is_plain, inner))
    return False


def _classes(programs: Mapping[str, ast.Module]) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield the full name of each class in the programs, with the types of its attributes."""
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
    """Return the name and type of the attribute that a statement declares, or None for constants and methods."""
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
    """Return whether a value has a type. ``kind`` is the type in the notation of TorchScript."""
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
    """A reader of a stream of values that follows PyTorch. `objects` lists the objects of classes in the program.

    The stream has the format of pickles. It uses only the instructions that create values, and a few named functions
    that create tensors and lists. The reader calls no function from the stream. It refuses unknown instructions and
    functions.
    """

    def __init__(self, storages: Mapping[str, int]) -> None:
        self._storages = storages  # sizes in bytes
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._kept: dict[int, Any] = {}
        self.objects: list[_Object] = []

    def read(self, content: bytes) -> None:
        """Read a whole stream, and raise ValuesError for a forbidden value."""
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
        """Return the result of a known function. Refuse other functions."""
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
    """Return a tensor, or refuse it if it does not fit into its storage."""
    numbers = [offset, *_only(sizes, tuple), *_only(strides, tuple)]
    if any(type(each) is not int or each < 0 for each in numbers) or len(sizes) != len(strides):
        raise ValuesError("holds a tensor of an odd shape")
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    within = last < _only(storage, _Storage).size or 0 in sizes
    if not within or math.prod(sizes) > _MOST_ELEMENTS:
        raise ValuesError("holds a tensor that reaches beyond its storage")
    return _Tensor()

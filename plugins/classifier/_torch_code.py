"""The operators that TorchScript may use. They compute on tensors and values and have no other effect.

TorchScript is a language with some 2000 operators. Some of them read and write files, print, send messages to other
processes, or access memory without a check of bounds. Every version adds operators. So there is a list of the operators
that image classifiers need. A program that uses another operator is refused.

A program is checked twice. The first check reads its text before PyTorch loads it, because PyTorch computes default
values and constants during loading. The second check reads the graph that PyTorch compiled, before it runs.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

# Allowed operators by purpose. Operators that take indices check their bounds. A trailing _ means in place.
_OPERATORS = {
    "arithmetic": """
        abs absolute acos acosh add add_ addcdiv addcmul angle arctan arctan2 asin asinh atan atan2 atanh
        bitwise_and bitwise_not bitwise_or bitwise_xor ceil ceil_ clamp clamp_ clamp_max clamp_max_ clamp_min
        clamp_min_ clip clip_ copysign cos cosh deg2rad div div_ divide divmod erf erfc erfinv exp exp2 exp_ expm1
        fix floor floor_ floor_divide floordiv fmax fmin fmod frac hypot ldexp lerp lerp_ lgamma log log10 log1p
        log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logit mathremainder maximum minimum
        mul mul_ multiply nan_to_num neg neg_ negative positive pow pow_ rad2deg real imag reciprocal reciprocal_
        remainder round round_ rsqrt rsqrt_ rsub sgn sign sin sinc sinh sqrt sqrt_ square square_ sub sub_ subtract
        tan true_divide trunc xlogy
    """,
    "activations": """
        celu celu_ elu elu_ gelu gelu_ glu hardshrink hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh
        hardtanh_ leaky_relu leaky_relu_ log_sigmoid log_softmax mish mish_ prelu relu relu6 relu6_ relu_ rrelu selu
        selu_ sigmoid sigmoid_ silu silu_ softmax softplus softshrink tanh tanh_ threshold threshold_ rrelu_
    """,
    "layers": """
        _convolution _convolution_mode _native_multi_head_attention _weight_norm adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        affine_grid_generator alpha_dropout alpha_dropout_ avg_pool1d avg_pool2d avg_pool3d batch_norm bilinear
        channel_shuffle constant_pad_nd conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
        convolution cosine_similarity dropout dropout_ embedding feature_alpha_dropout feature_dropout feature_dropout_
        grid_sampler group_norm gru gru_cell instance_norm layer_norm linear lstm lstm_cell max_pool1d
        max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices
        native_batch_norm native_channel_shuffle native_dropout native_group_norm native_layer_norm pad
        pairwise_distance pixel_shuffle pixel_unshuffle reflection_pad1d reflection_pad2d reflection_pad3d
        replication_pad1d replication_pad2d replication_pad3d rms_norm rnn_relu rnn_tanh
        scaled_dot_product_attention upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d
        upsample_nearest2d upsample_nearest3d upsample_trilinear3d _upsample_bicubic2d_aa _upsample_bilinear2d_aa
        _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d __interpolate __upsample
        __upsample_bilinear __upsample_nearest unfold im2col col2im _upsample_lanczos2d_aa feature_alpha_dropout_
        _transformer_encoder_layer_fwd
    """,
    "matrices": """
        addbmm addmm addmv addr baddbmm bmm chain_matmul dot einsum inner linalg_matrix_norm linalg_norm
        linalg_vector_norm matmul mm mv outer tensordot vdot
    """,
    "reductions": """
        all amax amin aminmax any argmax argmin argsort count_nonzero cummax cummin cumprod cumsum dist equal
        frobenius_norm logcumsumexp logsumexp max mean median min mode msort nanmean nansum norm prod quantile sort
        std std_mean sum topk var var_mean
    """,
    "comparisons": """
        allclose eq ge greater greater_equal gt is_nonzero isclose isfinite isinf isnan le less less_equal lt ne
        not_equal where
    """,
    "shapes": """
        atleast_1d atleast_2d atleast_3d broadcast_tensors broadcast_to cat chunk column_stack concat concatenate
        contiguous diag diag_embed diagonal dsplit dstack expand expand_as flatten flip fliplr flipud gather hsplit
        hstack index index_add index_copy index_fill index_put index_put_ index_select masked_fill masked_fill_
        masked_select meshgrid moveaxis movedim narrow nonzero nonzero_numpy numpy_T mT permute ravel repeat
        repeat_interleave reshape reshape_as roll rot90 row_stack scatter scatter_ scatter_add select slice split
        split_with_sizes squeeze squeeze_ stack swapaxes swapdims t take take_along_dim tensor_split tile transpose
        transpose_ tril triu unbind unflatten unsqueeze unsqueeze_ view view_as vsplit vstack
    """,
    "creation": """
        arange as_tensor bernoulli bernoulli_ clone copy_ detach detach_ empty empty_like eye fill fill_ full
        full_like linspace new_empty new_full new_ones new_zeros normal normal_ one_hot ones ones_like rand
        rand_like randn randn_like scalar_tensor tensor tril_indices triu_indices uniform uniform_ zero_ zeros
        zeros_like _cast_Double _cast_Float _cast_Int _cast_Long cpu to type_as
    """,
    "properties": """
        _shape_as_tensor data device dim dtype element_size get_device is_autocast_cpu_enabled is_autocast_enabled
        is_complex is_contiguous is_cpu is_cuda is_floating_point is_grad_enabled is_leaf is_meta is_mkldnn is_mps
        is_nested is_quantized is_same_size is_scripting is_signed is_sparse item itemsize layout nbytes numel
        requires_grad result_type promote_types size stride sym_numel sym_size type name
    """,
    "values": """
        Bool Complex Float FloatImplicit Int IntImplicit NumToTensor ScalarImplicit Size __and__ __contains__
        __derive_index __getitem__ __is__ __isnot__ __lshift__ __not__ __or__ __range_length __rshift__
        __round_to_zero_floordiv __xor__ _infer_size _list_to_tensor _set_item _tensor_to_list _unwrap_optional
        append broadcast_shapes clear copy count dict endswith extend find format get insert items join keys len
        list lower pop rangelist remove replace reverse setdefault sorted startswith str strip tolist update upper
        values
    """,
    "errors": """
        RaiseException _assert_scalar warn
    """,
}
OPERATORS = frozenset(" ".join(_OPERATORS.values()).split())
# Operators that PyTorch's compiler adds to a graph.
_BUILT_IN = (
    *(
        "Constant",
        "CreateObject",
        "DictConstruct",
        "GetAttr",
        "If",
        "ListConstruct",
        "ListUnpack",
        "Loop",
        "SetAttr",
        "TupleConstruct",
        "TupleIndex",
        "TupleSlice",
        "TupleUnpack",
        "Uninitialized",
        "isinstance",
        "unchecked_cast",
        "unchecked_unwrap_optional",
    ),
)
# OUTWARD: operators that access files; this list does not need PyTorch. _OUTWARD: all names with a special message.
OUTWARD = ("from_file", "save", "load", "read_file", "write_file")
_OUTWARD = re.compile(r"from_file|save|load|read_file|write_file|_?rpc\w*|_?c10d\w*|inductor|_?[Pp]rint")

_NAME = re.compile(r"\.\s*([A-Za-z_]\w*)")
# Text that a saved program never contains. Parsers may differ on comments, escapes and triple-quoted strings.
_ODD = re.compile(r"""[^\n\x20-\x7e]|\#|\\(?![nt"'])|"{3}|'{3}""")
# Words that are allowed in this form only. Another form could hide a name.
_FORMS = {
    "getattr": re.compile(r'\((?:[\w.]+|\([\w.]+\)), "([^"\\\n]+)"\)'),
    "ops": re.compile(r"\.(?:aten|prim)\."),
}
_SPECIAL = re.compile(rf"(?<![A-Za-z_.])({'|'.join(_FORMS)})\b")
# Forbidden text: code that runs when the program is loaded, output, threads, and classes written in C++.
_NEVER = re.compile(r"__setstate__|(?<![A-Za-z_])(?:print|fork)\s*(?=\()|torch\s*\.\s*classes\b")


def refused_in_text(text: str, operators: Iterable[str]) -> str | None:
    """Return a message about forbidden text in a program, or None if the program is allowed.

    Parameters
    ----------
    text
        The program.
    operators
        The names of all known operators. Other names are taken for names of the program's own parts.
    """
    odd, never = _ODD.search(text), _NEVER.search(text)
    if odd:
        return f"holds code with {odd[0]!r}, which PyTorch does not write"
    if never:
        return _said(never[0])
    names = set(_NAME.findall(text))
    for special in _SPECIAL.finditer(text):
        form = _FORMS[special[0]].match(text, special.end())
        if form is None:
            return f"says {special[0]!r} in a form that PyTorch does not write"
        names.update(form.groups())
    found = sorted((names & set(operators)) - OPERATORS)
    return _said(found[0]) if found else None


def refused_in_graph(graph: Any) -> str | None:
    """Return a message about a forbidden operator in a graph with inlined calls, or None if the graph is allowed."""
    for node in _nodes(graph):
        namespace, _, name = node.kind().partition("::")
        allowed = {"aten": OPERATORS, "prim": OPERATORS.union(_BUILT_IN)}.get(namespace, frozenset())
        if name not in allowed:
            return _said(name)
    return None


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _said(name: str) -> str:
    if _NEVER.search(f"{name}(") or _OUTWARD.fullmatch(name):
        return f"says {name[:60]!r}, which reaches outside a model"
    return f"uses the operator {name[:60]!r}, which is not among those that only compute"

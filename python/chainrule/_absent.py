"""What to use instead of torch's names that are not here.

The messages of `chainrule.name` and `tensor.name` and the notes of docs/parity.md come from these
tables. Nothing here runs unless a name is missed.
"""

from __future__ import annotations

import re
from typing import Any

from ._core import Tensor

_COMPLEX = "there are no complex numbers; NumPy has them: x.numpy()"
_SPARSE = "there are no sparse tensors; use dense ones, or scipy.sparse on x.numpy()"
_QUANTIZED = "there are no quantized tensors; use float32, or bfloat16 to save memory"
_CPU = "chainrule computes on the CPU only: leave it out"
_SCIPY = "use scipy.special on x.numpy()"
_DENSE = "every tensor is dense and on the CPU: leave it out"
_SCRIPT = "there is no script compiler: call the Python function itself"
_LU = "use linalg.solve, inv or cholesky: NumPy's LAPACK keeps this factorization to itself"
_SYMBOL = "there are no symbolic sizes: sizes are ints"

# Names of torch.Tensor and torch, by the whole name.
_NAMES = {
    "amp": "computation is in float32: leave it out",
    "apply_": "write it with tensor functions, or np.vectorize(f)(x.numpy())",
    "as_strided_scatter": "use chainrule.as_strided_scatter",
    "autocast": "computation is in float32: leave it out",
    "complex": _COMPLEX,
    "cond": "use Python's if",
    "const_data_ptr": "use data_ptr()",
    "dim_order": "use stride()",
    "distributed": "all processors of one machine are used as it is",
    "eig": "use linalg.eig",
    "empty_strided": "use empty(...).as_strided(size, stride)",
    "frexp": "use numpy.frexp(x.numpy())",
    "gcd": "use numpy.gcd on x.numpy()",
    "geqrf": "use linalg.qr",
    "ger": "use outer",
    "gradient": "use diff, or numpy.gradient(x.numpy())",
    "grad_dtype": "use grad.dtype: a gradient has the dtype of its tensor",
    "hash_tensor": "use hash(x.numpy().tobytes())",
    "histogram": "use histc, or numpy.histogram(x.numpy())",
    "histogramdd": "use numpy.histogramdd(x.numpy())",
    "lcm": "use numpy.lcm on x.numpy()",
    "ldexp": "use x * 2.0 ** other",
    "lobpcg": "use linalg.eigh",
    "lstsq": "use linalg.lstsq",
    "lu": "use linalg.solve or linalg.inv",
    "lu_solve": "use linalg.solve",
    "lu_unpack": "use linalg.solve or linalg.inv",
    "map_": "write it with tensor functions",
    "map2_": "write it with tensor functions",
    "matrix_rank": "use linalg.matrix_rank",
    "module_load": "use load_state_dict",
    "narrow_copy": "use narrow(...).clone()",
    "new_empty_strided": "use new_empty(...).as_strided(size, stride)",
    "nextafter": "use numpy.nextafter on x.numpy()",
    "nonzero_static": "use nonzero",
    "nuclear_norm": "use linalg.svdvals(x).sum()",
    "frobenius_norm": "use norm",
    "hub": "use chainrule.models, and load for weights of torch",
    "orgqr": "use linalg.householder_product",
    "ormqr": "use linalg.qr",
    "profiler": "use autograd.profiler",
    "pca_lowrank": "use linalg.svd",
    "range": "use arange, whose end is not included",
    "reinforce": "use the log-probability times the reward as a loss",
    "rsub": "use other - input",
    "segment_reduce": "use index_add or index_reduce",
    "set_": "assign to x.data",
    "set_default_device": _CPU,
    "set_default_tensor_type": "use set_default_dtype",
    "set_warn_always": "use warnings.simplefilter('always')",
    "slice_inverse": "use slice_scatter",
    "solve": "use linalg.solve",
    "storage_type": "use dtype",
    "svd_lowrank": "use linalg.svd",
    "symeig": "use linalg.eigh",
    "to_padded_tensor": "use nn.utils.rnn.pad_sequence",
    "triangular_solve": "use linalg.solve_triangular",
    "volatile": "use no_grad()",
    "while_loop": "use Python's while",
}

# By a pattern; groups of it stand in the text.
_PATTERNS = (
    (r"(real|imag|polar|cdouble|cfloat|chalf|complex\d*|\w*_?conj\w*|(is|resolve)_neg)", _COMPLEX),
    (r"view_as_(complex|real)(_copy)?", _COMPLEX),
    (r"\w*sparse\w*|(ccol|crow|col|row)_indices(_copy)?|(indices|values)(_copy)?", _SPARSE),
    (r"(is_)?coalesced?|dense_dim|smm|sspaddmm|spmm|dsmm|hsmm|hspmm|saddmm", _SPARSE),
    (r"\w*quantize\w*|q_\w+|qscheme|int_repr|choose_qparams\w*|fbgemm\w*|fused_moving_avg\w*",
     _QUANTIZED),
    (r"q?u?int\dx?\d?|Q\w+Storage|empty_quantized", _QUANTIZED),
    (r"i0_?|igammac?_?|polygamma_?|mvlgamma_?|bessel\w*|zeta", _SCIPY),
    (r"\w*(cudnn|miopen|mkldnn|cuda|mtia|xpu|xla|ipu|mps|vulkan|maia)\w*", _CPU),
    (r"pin_memory|is_pinned|record_stream|\w*[sS]tream\w*|\w*_device_module", _CPU),
    (r"is_(meta|nested|distributed)|to_dense", _DENSE),
    (r"i?stft|\w+_window|(i?r?h?fft\w*)", "use numpy.fft or scipy.signal on x.numpy()"),
    (r"unsafe_(\w+)", r"use \1"),
    (r"(\w+)_copy", r"use \1(...).clone()"),
    (r"resize(_as)?_?", "use reshape, or make a new tensor"),
    (r"(\w+)Tensor", "use tensor(..., dtype=...)"),
    (r"\w*Storage(Base)?|is_storage", "use x.untyped_storage()"),
    (r"\w*autocast\w*", "computation is in float32: leave it out"),
    (r"[sS]ym_?\w*", _SYMBOL),
    (r"(gcd|lcm|ldexp|nextafter)_", "use the out-of-place function"),
    (r"batch_norm_\w+|native_\w+|\w*_backward\w*|affine_grid_generator|grid_sampler\w*",
     "an internal of torch; use nn.functional"),
    (r"quantized_\w+|\w*[sS]cript\w*|import_ir\w*|parse_\w+|fork|wait|jit\w*|compiled_with\w*",
     _SCRIPT),
    (r"(gru|lstm|rnn_tanh|rnn_relu)(_cell)?", "use the modules of chainrule.nn"),
    (r"(set|get)_(num_interop_threads|float32_matmul_precision|deterministic_debug_mode)",
     "use set_num_threads; results never depend on threads"),
)  # fmt: skip

# Names of other namespaces; the key is torch's path without "torch.".
_ELSEWHERE = {
    "linalg": {
        **dict.fromkeys(("lu", "lu_factor", "lu_factor_ex", "lu_solve"), _LU),
        **dict.fromkeys(("ldl_factor", "ldl_factor_ex", "ldl_solve"), _LU),
    },
    "nn": {
        "Container": "use Module",
        "CrossMapLRN2d": "use LocalResponseNorm",
        "DataParallel": "all processors are used as it is",
        "NLLLoss2d": "use NLLLoss",
        "SyncBatchNorm": "use BatchNorm1d, 2d or 3d",
        "LinearCrossEntropyLoss": "use Linear and CrossEntropyLoss",
    },
    "nn.functional": {
        "conv_tbc": "use conv1d on x.permute(1, 2, 0)",
        "upsample_bilinear": "use interpolate(mode='bilinear', align_corners=True)",
        "upsample_nearest": "use interpolate(mode='nearest')",
        "native_channel_shuffle": "use channel_shuffle",
        "linear_cross_entropy": "use linear and cross_entropy",
    },
    "optim": {
        "SparseAdam": "gradients are dense: use Adam",
        "Adafactor": "use AdamW",
        "Muon": "use AdamW",
    },
    "nn.utils": {"clip_grad_norm": "use clip_grad_norm_"},
    "autograd": {
        "forward_ad": "use chainrule.func.jvp or jacfwd, by two reverse passes",
        "set_multithreading_enabled": "use set_num_threads",
    },
    "autograd.graph": {
        "save_on_cpu": "every tensor is on the CPU: leave it out",
        "saved_tensors_hooks": "compute parts anew in an autograd.Function to save memory",
    },
}


def hint(space: str, name: str) -> str | None:
    """What to use instead of a name; ``space`` is "", "Tensor", "nn", "nn.functional", ...

    None when nothing is known.
    """
    if space in ("", "Tensor"):
        if name in _NAMES:
            return _NAMES[name]
        for pattern, text in _PATTERNS:
            match = re.fullmatch(pattern, name)
            if match:
                return match.expand(text)
        return None
    found = _ELSEWHERE.get(space, {}).get(name)
    if found is None and name.startswith("Lazy"):
        return f"use {name.removeprefix('Lazy')} with its input size given"
    return found


def missing(space: str, name: str) -> AttributeError:
    """The error for a name that a module does not have."""
    module = f"chainrule.{space}".rstrip(".")
    text = hint(space, name)
    extra = f": torch's {name} is left out; {text}" if text else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{extra}")


class _Absent:
    """Stands on Tensor for a name of torch that is not here: reading it raises AttributeError.

    A `__getattr__` on the type would slow down every other attribute.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def __get__(self, instance: object, owner: Any = None) -> Any:
        raise AttributeError(
            f"'Tensor' object has no attribute {self.name!r}: torch's is left out; {self.text}"
        )


# torch.Tensor's names that are not here.
ABSENT_METHODS = (
    "apply_", "as_strided_scatter", "ccol_indices", "cdouble", "cfloat", "chalf", "coalesce",
    "col_indices", "conj", "conj_physical", "conj_physical_", "const_data_ptr", "crow_indices",
    "dense_dim", "dequantize", "dim_order", "eig", "frexp", "gcd", "gcd_", "geqrf", "ger",
    "grad_dtype", "hash_tensor", "histogram", "i0", "i0_", "igamma", "igamma_", "igammac",
    "igammac_", "imag", "indices", "int_repr", "ipu", "is_coalesced", "is_conj", "is_distributed",
    "is_ipu", "is_maia", "is_meta", "is_mkldnn", "is_mps", "is_mtia", "is_neg", "is_nested",
    "is_pinned", "is_quantized", "is_sparse", "is_sparse_csr", "is_vulkan", "is_xla", "is_xpu",
    "istft", "lcm", "lcm_", "ldexp", "ldexp_", "lstsq", "lu", "lu_solve", "map2_", "map_",
    "module_load", "mtia", "mvlgamma", "mvlgamma_", "narrow_copy", "new_empty_strided", "nextafter",
    "nextafter_", "nonzero_static", "orgqr", "ormqr", "pin_memory", "polygamma", "polygamma_",
    "q_per_channel_axis", "q_per_channel_scales", "q_per_channel_zero_points", "q_scale",
    "q_zero_point", "qscheme", "real", "record_stream", "reinforce", "resize", "resize_",
    "resize_as", "resize_as_", "resize_as_sparse_", "resolve_conj", "resolve_neg", "row_indices",
    "set_", "slice_inverse", "smm", "solve", "sparse_dim", "sparse_mask", "sparse_resize_",
    "sparse_resize_and_clear_", "sspaddmm", "stft", "storage_type", "symeig", "to_dense",
    "to_mkldnn", "to_padded_tensor", "to_sparse", "to_sparse_bsc", "to_sparse_bsr", "to_sparse_coo",
    "to_sparse_csc", "to_sparse_csr", "triangular_solve", "unsafe_chunk", "unsafe_split",
    "unsafe_split_with_sizes", "values", "volatile", "xpu",
)  # fmt: skip


def attach() -> None:
    """Put the messages on Tensor, where it has nothing of that name."""
    for name in ABSENT_METHODS:
        if not hasattr(Tensor, name):
            setattr(Tensor, name, _Absent(name, hint("Tensor", name) or "see docs/parity.md"))

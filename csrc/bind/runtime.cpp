// Threads, memory, default dtype, build facts, and the listing of op rows.
#include <pybind11/stl.h>

#include "bind/python.h"
#include "core/isa.h"
#include "core/parallel.h"
#include "ops/conv_algorithms.h"
#include "ops/gemm.h"
#include "ops/pointwise.h"
#include "ops/probe.kernel.h"
#include "ops/winograd.h"

namespace cr {
namespace {

const char* type_name(ArgType type) {
  constexpr const char* kNames[] = {"Tensor", "Operand", "Tensor[]", "bool",  "int",
                                    "float",  "int[]",   "dtype",    "choice"};
  return kNames[static_cast<int>(type)];
}

py::dict describe(const OpDef& op) {
  py::dict row;
  py::list args;
  for (const Arg& arg : op.signature.args) {
    py::dict entry;
    entry["name"] = arg.name;
    entry["type"] = type_name(arg.type);
    entry["optional"] = arg.optional;
    entry["variadic"] = arg.variadic;
    entry["keyword_only"] = arg.keyword_only;
    entry["length"] = arg.length;
    entry["choices"] = arg.choices;
    entry["default"] = arg.has_default ? py::object(py::str(arg.default_text)) : py::none();
    args.append(entry);
  }
  py::list saves;
  for (const Arg& arg : op.signature.args) {
    if (arg.input >= 0 && arg.input < kMaxSaved && op.saves_input_for[arg.input])
      saves.append(arg.name);
  }
  for (size_t k = 0; k < op.signature.outputs.size(); ++k) {
    if (op.saves_outputs >> k & 1) saves.append(op.signature.outputs[k]);
  }
  py::list dtypes;
  for (int d = 0; d < kNumDTypes; ++d) {
    if (op.blocks[d]) dtypes.append(name(static_cast<DType>(d)));
  }
  row["name"] = op.name();
  row["doc"] = op.doc;
  row["args"] = args;
  row["outputs"] = op.signature.outputs;
  row["saves"] = saves;
  row["differentiable"] = op.vjp != nullptr;
  row["composite"] = op.infer == nullptr;
  row["pointwise"] = op.pointwise != Pointwise::kNo;
  row["dtypes"] = dtypes;
  row["view"] = op.view;
  row["inplace"] = op.inplace;
  row["mutates"] = op.mutates;
  row["method"] = op.method;
  row["nn"] = op.nn;
  row["hidden"] = op.hidden;
  return row;
}

}  // namespace

void bind_runtime(py::module_& m) {
  m.def(
      "ops",
      [] {
        py::list rows;
        for (const OpDef* op : registry()) rows.append(describe(*op));
        return rows;
      },
      "Descriptions of all op rows.");
  m.def("get_num_threads", &num_threads, "Threads that kernels may use.");
  m.def(
      "set_num_threads",
      [](int n) {
        CR_CHECK(n >= 1, "set_num_threads: expected at least 1 (got ", n, ")");
        set_num_threads(n);
      },
      py::arg("n"), "Set how many threads kernels may use.");
  m.def("_threading_backend", &threading_backend);
  m.def(
      "set_flush_denormal",
      [](bool on) {
        set_flush_denormal(on);
        return true;
      },
      py::arg("mode"), "Treat subnormal numbers as zero inside kernels (on by default).");
  m.def("_conv_winograd", &conv_winograd);
  m.def("_set_conv_winograd", &set_conv_winograd, py::arg("tile"));
  m.def("_isa", [] { return isa_name(isa()); });
  m.def(
      "fma_peak", [](py::handle dtype) { return fma_peak(dtype_from_object(dtype.ptr())); },
      py::arg("dtype"),
      "Measured multiply-add rate of one thread in GFLOP/s, the limit of compute-bound work.");
  m.def("_version", [] { return CHAINRULE_VERSION; });
  m.def("_compiler", [] { return __VERSION__; });
  m.def(
      "get_default_dtype",
      [] { return py::reinterpret_borrow<py::object>(dtype_object(default_dtype())); },
      "The dtype that Python floats become.");
  m.def(
      "set_default_dtype",
      [](py::handle dtype) {
        const DType wanted = dtype_from_object(dtype.ptr());
        CR_CHECK_TYPE(is_floating(wanted) && !is_half(wanted),
                      "set_default_dtype: expected float32 or float64 (got ", wanted, ")");
        set_default_dtype(wanted);
      },
      py::arg("dtype"), "Set the dtype that Python floats become: float32 or float64.");
  m.def(
      "promote_types",
      [](py::handle a, py::handle b) {
        return py::reinterpret_borrow<py::object>(
            dtype_object(promote(dtype_from_object(a.ptr()), dtype_from_object(b.ptr()))));
      },
      py::arg("type1"), py::arg("type2"), "The smallest dtype that both convert to.");
  m.def(
      "can_cast",
      [](py::handle a, py::handle b) {
        return can_cast(dtype_from_object(a.ptr()), dtype_from_object(b.ptr()));
      },
      py::arg("from_"), py::arg("to"),
      "Whether a conversion keeps the category (bool, integer, float).");
  m.def("_result_type", [](py::handle a, py::handle b) {
    const TensorList operands{operand_from_object(a.ptr()), operand_from_object(b.ptr())};
    CR_CHECK_TYPE(operands[0] && operands[1], "result_type: expected tensors or numbers");
    return py::reinterpret_borrow<py::object>(dtype_object(result_type(operands)));
  });
  m.def(
      "memory_stats",
      [] {
        const MemoryStats stats = memory_stats();
        py::dict result;
        result["allocated"] = stats.allocated;
        result["peak"] = stats.peak;
        result["cached"] = stats.cached;
        return result;
      },
      "Bytes in live blocks above 4 KiB, their peak, and bytes cached for reuse.");
  m.def("reset_peak_memory", &reset_peak_memory, "Start measuring the peak anew.");
  m.def("empty_cache", &empty_cache, "Return cached memory to the system.");
  // For tests of families with several algorithms.
  m.def("_force_gemm_algorithm", &force_gemm_algorithm, py::arg("name"));
  m.def("_last_gemm_algorithm", &last_gemm_algorithm);
  m.def("_force_conv_algorithm", &force_conv_algorithm, py::arg("direction"), py::arg("name"));
  m.def("_last_conv_algorithm", &last_conv_algorithm, py::arg("direction"));
}

}  // namespace cr

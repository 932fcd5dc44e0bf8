// The one entry through which Python calls ops: parses arguments by the row's signature.
//
// Each row becomes an OpFunction object, callable by vectorcall and usable as a method (it binds
// like a Python function). Positional and keyword arguments cost the same few nanoseconds.
#include <cstring>

#include "bind/python.h"

// After Python.h, which it needs.
#include <structmember.h>

namespace cr {

bool worth_releasing(const TensorList& inputs) {
  for (const Tensor& input : inputs) {
    if (input && input.numel() >= kReleaseGilElements) return true;
  }
  return false;
}

void run_from_python(const OpDef& op, TensorList inputs, const Attrs& attrs, Tensor* out) {
  if (worth_releasing(inputs)) {
    py::gil_scoped_release release;
    run(op, std::move(inputs), attrs, out);
  } else {
    run(op, std::move(inputs), attrs, out);
  }
}

Tensor run_inplace_from_python(const OpDef& op, TensorList inputs, const Attrs& attrs) {
  if (op.view) return run_inplace_view(op, std::move(inputs), attrs);
  if (worth_releasing(inputs)) {
    py::gil_scoped_release release;
    return run_inplace(op, std::move(inputs), attrs);
  }
  return run_inplace(op, std::move(inputs), attrs);
}

namespace {

constexpr int kMaxArgs = 20;

struct OpFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  const OpDef* op;
  bool inplace;
  bool creates;  // takes no tensor, or is x_like: requires_grad= and device= are accepted
  PyObject* names[kMaxArgs];  // interned argument names
};

PyTypeObject* op_function_type = nullptr;

std::string python_name(const OpFunction& function) {
  return function.op->name() + (function.inplace ? "_" : "");
}

// For messages: without the underscore of a hidden row.
std::string display_name(const OpFunction& function) {
  return python_name(function).substr(function.op->hidden ? 1 : 0);
}

// The argument index of a keyword, or -1. NumPy's words for dim and keepdim are understood.
int find_keyword(const OpFunction& function, PyObject* word) {
  const auto& args = function.op->signature.args;
  const int n = static_cast<int>(args.size());
  for (int i = 0; i < n; ++i) {
    if (function.names[i] == word) return i;
  }
  const char* text = PyUnicode_AsUTF8(word);
  if (!text) throw py::error_already_set();
  if (std::strcmp(text, "axis") == 0) text = "dim";
  if (std::strcmp(text, "keepdims") == 0) text = "keepdim";
  if (function.op->by_dtype && std::strcmp(text, "dtype") == 0) return n - 1;
  for (int i = 0; i < n; ++i) {
    if (args[i].name == text) return i;
  }
  return -1;
}

bool is_int(PyObject* object) {
  if (PyLong_Check(object)) return true;
  if (is_tensor(object)) return as_tensor(object).rank() == 0;
  return PyIndex_Check(object) && !PySequence_Check(object);
}

void push_dims(Attrs& attrs, const Dims& dims) { attrs.push_ints(dims.begin(), dims.end()); }

// How an argument is called in an error message. Made on the way to an error only.
struct ArgumentLabel {
  const OpFunction& function;
  const Arg& arg;
  std::string text() const { return display_name(function) + ": argument '" + arg.name + "'"; }
};

void push_choice(const OpFunction& function, const Arg& arg, PyObject* value, Attrs& attrs) {
  if (value == Py_None) {  // torch spells some defaults None (rounding_mode)
    attrs.push_int(0);
    return;
  }
  if (PyUnicode_Check(value)) {
    const char* word = PyUnicode_AsUTF8(value);
    for (size_t i = 0; word && i < arg.choices.size(); ++i) {
      if (arg.choices[i] == word) return attrs.push_int(static_cast<int64_t>(i));
    }
  }
  std::string choices;
  for (const std::string& choice : arg.choices)
    choices += (choices.empty() ? "'" : ", '") + choice + "'";
  fail(ErrorKind::kValue, display_name(function), ": ", arg.name, " must be one of ", choices,
       " (got ", py::cast<std::string>(py::repr(py::handle(value))), ")");
}

Tensor tensor_argument(const OpFunction& function, const Arg& arg, PyObject* value) {
  if (value == Py_None && arg.optional) return Tensor();
  if (is_tensor(value)) return as_tensor(value);
  if (arg.type == ArgType::kOperand) {
    if (Tensor operand = operand_from_object(value)) return operand;
    if (PyObject_HasAttrString(value, "__array__")) {  // NumPy arrays and scalars
      return as_tensor(py::module_::import("chainrule").attr("tensor")(py::handle(value)).ptr());
    }
  }
  fail(ErrorKind::kType, display_name(function), ": argument '", arg.name, "' must be a Tensor",
       arg.type == ArgType::kOperand ? " or a number" : "", " (got ", Py_TYPE(value)->tp_name, ")");
}

// Converts one argument and appends it to the inputs or attributes.
void push_argument(const OpFunction& function, const Arg& arg, PyObject* value, TensorList& in,
                   Attrs& attrs) {
  const std::string& what = arg.name;
  switch (arg.type) {
    case ArgType::kTensor:
    case ArgType::kOperand: in.push_back(tensor_argument(function, arg, value)); return;
    case ArgType::kTensors: {
      CR_CHECK_TYPE(PySequence_Check(value) && !is_tensor(value), display_name(function),
                    ": argument '", what, "' must be a sequence of tensors (got ",
                    Py_TYPE(value)->tp_name, ")");
      const py::object items =
          py::reinterpret_steal<py::object>(PySequence_Fast(value, "a sequence"));
      if (!items) throw py::error_already_set();
      const Py_ssize_t n = PySequence_Fast_GET_SIZE(items.ptr());
      for (Py_ssize_t i = 0; i < n; ++i) {
        in.push_back(tensor_argument(function, arg, PySequence_Fast_GET_ITEM(items.ptr(), i)));
      }
      attrs.push_int(n);
      return;
    }
    default: break;
  }
  if (value == Py_None && (arg.optional || arg.default_text == "None")) return attrs.push_none();
  const ArgumentLabel label{function, arg};
  switch (arg.type) {
    case ArgType::kBool: {
      CR_CHECK_TYPE(PyBool_Check(value) || PyLong_Check(value), label.text(),
                    " must be a bool (got ", Py_TYPE(value)->tp_name, ")");
      return attrs.push_bool(PyObject_IsTrue(value) == 1);
    }
    case ArgType::kInt: return attrs.push_int(int_from_object(value, label));
    case ArgType::kFloat: {
      if (PyFloat_CheckExact(value)) return attrs.push_float(PyFloat_AS_DOUBLE(value));
      if (PyLong_CheckExact(value)) return attrs.push_float(PyLong_AsDouble(value));
      const double number = PyFloat_AsDouble(value);
      if (number == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        fail(ErrorKind::kType, label.text(), " must be a number (got ", Py_TYPE(value)->tp_name,
             ")");
      }
      return attrs.push_float(number);
    }
    case ArgType::kInts: {
      if (is_int(value)) {
        const int64_t number = int_from_object(value, label);
        return push_dims(attrs, Dims::filled(std::max(arg.length, 1), number));
      }
      Dims dims = dims_from_object(value, label);
      if (arg.length > 0 && dims.empty() && arg.optional) return attrs.push_none();
      if (arg.length > 1 && dims.size() == 1) dims = Dims::filled(arg.length, dims[0]);
      CR_CHECK(arg.length == 0 || dims.size() == arg.length, label.text(), " needs ", arg.length,
               " values (got ", dims, ")");
      return push_dims(attrs, dims);
    }
    case ArgType::kDType: return attrs.push_dtype(dtype_from_object(value));
    case ArgType::kChoice: return push_choice(function, arg, value, attrs);
    default: return;
  }
}

// What creation functions take beyond their signature.
struct CreationOptions {
  bool requires_grad = false;
};

bool take_creation_option(const OpFunction& function, PyObject* word, PyObject* value,
                          CreationOptions& options) {
  if (!function.creates) return false;
  const char* text = PyUnicode_AsUTF8(word);
  if (std::strcmp(text, "requires_grad") == 0) {
    options.requires_grad = PyObject_IsTrue(value) == 1;
    return true;
  }
  if (std::strcmp(text, "device") == 0) {
    py::module_::import("chainrule._devices").attr("check_device")(py::handle(value));
    return true;
  }
  return std::strcmp(text, "layout") == 0 || std::strcmp(text, "pin_memory") == 0;
}

PyObject* call_op(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const OpFunction& function = *reinterpret_cast<OpFunction*>(self);
  return guarded([&]() -> PyObject* {
    const Signature& signature = function.op->signature;
    const int count = static_cast<int>(signature.args.size());
    const int given = static_cast<int>(PyVectorcall_NARGS(nargsf));
    PyObject* values[kMaxArgs] = {};
    CreationOptions options;
    Dims variadic;
    int variadic_at = -1;
    for (int i = 0, position = 0; i < given; ++i, ++position) {
      CR_CHECK_TYPE(position < count && !signature.args[position].keyword_only,
                    display_name(function), ": takes at most ", position,
                    " positional arguments (got ", given, ")");
      const Arg& arg = signature.args[position];
      if (arg.variadic && is_int(args[i])) {
        // f(x, 2, 3): the remaining positional arguments are the list.
        variadic_at = position;
        const ArgumentLabel label{function, arg};
        for (; i < given; ++i) variadic.push_back(int_from_object(args[i], label));
        break;
      }
      values[position] = args[i];
    }
    const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t k = 0; k < keywords; ++k) {
      PyObject* word = PyTuple_GET_ITEM(kwnames, k);
      const int at = find_keyword(function, word);
      if (at < 0) {
        CR_CHECK_TYPE(take_creation_option(function, word, args[given + k], options),
                      display_name(function), ": unexpected keyword argument '",
                      PyUnicode_AsUTF8(word), "'",
                      PyUnicode_CompareWithASCIIString(word, "out") ? "" : "; use out.copy_(...)");
        continue;
      }
      CR_CHECK_TYPE(!values[at] && at != variadic_at, display_name(function), ": argument '",
                    signature.args[at].name, "' was given twice");
      values[at] = args[given + k];
    }
    TensorList in;
    Attrs attrs;
    for (int i = 0; i < count; ++i) {
      const Arg& arg = signature.args[i];
      if (values[i] && function.op->by_dtype && arg.variadic && is_dtype(values[i])) {
        return wrap(get_op(function.op->by_dtype)(in[0], dtype_from_object(values[i])));
      }
      if (values[i]) {
        push_argument(function, arg, values[i], in, attrs);
      } else if (i == variadic_at) {
        push_dims(attrs, variadic);
      } else {
        CR_CHECK_TYPE(arg.has_default || arg.variadic, display_name(function),
                      ": missing argument '", arg.name, "'");
        if (arg.attr < 0)
          in.push_back(Tensor());
        else if (arg.variadic && !arg.has_default)
          push_dims(attrs, Dims{});
        else
          attrs.push_from(signature.defaults, arg.attr);
      }
    }
    if (function.inplace) {
      run_inplace_from_python(*function.op, std::move(in), attrs);
      Py_INCREF(values[0]);
      return values[0];
    }
    Tensor out[kMaxOutputs];
    run_from_python(*function.op, std::move(in), attrs, out);
    const int outputs = static_cast<int>(signature.outputs.size());
    if (outputs == 1) {
      if (options.requires_grad) set_requires_grad(out[0], true);
      return wrap(out[0]);
    }
    PyObject* tuple = PyTuple_New(outputs);
    for (int k = 0; tuple && k < outputs; ++k) PyTuple_SET_ITEM(tuple, k, wrap(out[k]));
    return tuple;
  });
}

// ---------------------------------------------------------------- the type

std::string python_signature(const OpFunction& function) {
  std::string text = "(";
  bool star = false;
  for (const Arg& arg : function.op->signature.args) {
    if (text.size() > 1) text += ", ";
    if (arg.keyword_only && !star) {
      star = true;
      text += "*, ";
    }
    if (arg.variadic && !arg.has_default) star = true;
    text += (arg.variadic && !arg.has_default ? "*" : "") + arg.name;
    if (arg.has_default) text += "=" + (arg.default_text[0] == '{' ? "None" : arg.default_text);
  }
  return text + ")";
}

PyObject* get_name(PyObject* self, void*) {
  return PyUnicode_FromString(python_name(*reinterpret_cast<OpFunction*>(self)).c_str());
}
PyObject* get_doc(PyObject* self, void*) {
  const OpFunction& function = *reinterpret_cast<OpFunction*>(self);
  const std::string text =
      python_name(function) + python_signature(function) + "\n\n" +
      (function.inplace ? "In-place form of ``" + function.op->name() + "``.\n\n" : "") +
      function.op->doc;
  return PyUnicode_FromString(text.c_str());
}
PyObject* get_text_signature(PyObject* self, void*) {
  return PyUnicode_FromString(python_signature(*reinterpret_cast<OpFunction*>(self)).c_str());
}
PyObject* get_module(PyObject*, void*) { return PyUnicode_FromString("chainrule._core"); }
PyObject* op_repr(PyObject* self) {
  return PyUnicode_FromFormat("<op %s>", python_name(*reinterpret_cast<OpFunction*>(self)).c_str());
}
PyObject* op_reduce(PyObject* self, PyObject*) { return get_name(self, nullptr); }
PyObject* bind_method(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) {
    Py_INCREF(self);
    return self;
  }
  return PyMethod_New(self, object);
}

PyGetSetDef op_getset[] = {{"__name__", get_name, nullptr, nullptr, nullptr},
                           {"__qualname__", get_name, nullptr, nullptr, nullptr},
                           {"__doc__", get_doc, nullptr, nullptr, nullptr},
                           {"__module__", get_module, nullptr, nullptr, nullptr},
                           {"__text_signature__", get_text_signature, nullptr, nullptr, nullptr},
                           {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr},
                            {nullptr, nullptr, 0, nullptr}};
PyMemberDef op_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OpFunction, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyObject* new_op_function(const OpDef* op, bool inplace) {
  OpFunction* function = PyObject_New(OpFunction, op_function_type);
  function->vectorcall = call_op;
  function->op = op;
  function->inplace = inplace;
  const Signature& signature = op->signature;
  CR_CHECK_STATE(signature.args.size() <= kMaxArgs, op->name(), ": too many arguments in its row");
  const bool has_dtype = !signature.args.empty() && signature.args.back().type == ArgType::kDType;
  const std::string& text = op->name();
  const bool like = text.size() > 5 && text.compare(text.size() - 5, 5, "_like") == 0;
  function->creates = has_dtype && (signature.inputs == 0 || text == "full" || like);
  for (size_t i = 0; i < signature.args.size(); ++i) {
    function->names[i] = PyUnicode_InternFromString(signature.args[i].name.c_str());
  }
  return reinterpret_cast<PyObject*>(function);
}

}  // namespace

void make_op_functions(py::module_& m) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                         {Py_tp_descr_get, reinterpret_cast<void*>(bind_method)},
                         {Py_tp_getset, op_getset},
                         {Py_tp_methods, op_methods},
                         {Py_tp_members, op_members},
                         {0, nullptr}};
  PyType_Spec spec = {"chainrule._core.Op", sizeof(OpFunction), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
                          Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  op_function_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!op_function_type) throw py::error_already_set();
  const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
  for (const OpDef* op : registry()) {
    const auto publish = [&](const std::string& public_name, bool inplace) {
      const py::object function = py::reinterpret_steal<py::object>(new_op_function(op, inplace));
      m.attr(public_name.c_str()) = function;
      if (op->method || inplace) py::setattr(type, public_name.c_str(), function);
    };
    publish(op->name(), false);
    if (op->inplace) publish(op->name() + "_", true);
  }
}

}  // namespace cr

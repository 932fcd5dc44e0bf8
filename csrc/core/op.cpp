#include "core/op.h"

#include <cstring>
#include <memory>
#include <unordered_map>

#include "core/parallel.h"
#include "core/profile.h"

namespace cr {

// ---------------------------------------------------------------- attributes

Attrs& Attrs::operator=(const Attrs& other) {
  size_ = other.size_;
  ints_used_ = other.ints_used_;
  std::memcpy(values_, other.values_, sizeof(Value) * size_);
  std::memcpy(ints_, other.ints_, sizeof(int64_t) * ints_used_);
  return *this;
}

Attrs::Value& Attrs::push(Kind kind) {
  CR_CHECK_STATE(size_ < kMaxAttrs, "an op has at most ", kMaxAttrs, " attributes");
  Value& value = values_[size_++];
  value.kind = kind;
  value.count = value.first = 0;
  value.i = 0;
  return value;
}

void Attrs::push_ints(const int64_t* begin, const int64_t* end) {
  const int64_t count = end - begin;
  CR_CHECK(ints_used_ + count <= kMaxAttrInts, "integer arguments are too long (got ", count,
           " values); at most ", kMaxAttrInts, " in one call");
  Value& value = push(Kind::kInts);
  value.count = static_cast<uint8_t>(count);
  value.first = static_cast<uint8_t>(ints_used_);
  std::memcpy(ints_ + ints_used_, begin, sizeof(int64_t) * count);
  ints_used_ += static_cast<int>(count);
}

void Attrs::push_from(const Attrs& other, int k) {
  const Value& value = other.values_[k];
  if (value.kind == Kind::kInts) {
    push_ints(other.ints_ + value.first, other.ints_ + value.first + value.count);
  } else {
    push(value.kind) = value;
  }
}

// ---------------------------------------------------------------- signature

namespace {

std::string trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \n\t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \n\t") - begin + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  int depth = 0;
  std::string part;
  for (char c : text) {
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == separator && depth == 0) {
      parts.push_back(trim(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!trim(part).empty()) parts.push_back(trim(part));
  return parts;
}

void parse_type(const std::string& text, Arg& arg) {
  std::string type = text;
  if (type[0] == '{') {
    arg.type = ArgType::kChoice;
    arg.choices = split(type.substr(1, type.size() - 2), '|');
    return;
  }
  if (type.size() > 3 && type.substr(type.size() - 3) == "...") {
    arg.variadic = true;
    type = type.substr(0, type.size() - 3) + "[]";
  }
  if (type.back() == '?') {
    arg.optional = true;
    type.pop_back();
  }
  const size_t bracket = type.find('[');
  const bool list = bracket != std::string::npos;
  if (list) arg.length = std::atoi(type.c_str() + bracket + 1);
  std::string base = type.substr(0, bracket);
  if (base.back() == '?') {
    arg.optional = true;  // "Tensor?[]": elements may be None
    base.pop_back();
  }
  if (base == "Tensor")
    arg.type = list ? ArgType::kTensors : ArgType::kTensor;
  else if (base == "Operand")
    arg.type = ArgType::kOperand;
  else if (base == "int")
    arg.type = list ? ArgType::kInts : ArgType::kInt;
  else if (base == "float")
    arg.type = ArgType::kFloat;
  else if (base == "bool")
    arg.type = ArgType::kBool;
  else if (base == "dtype")
    arg.type = ArgType::kDType;
  else
    fail(ErrorKind::kRuntime, "signature: unknown type '", text, "'");
}

bool is_input(const Arg& arg) {
  return arg.type == ArgType::kTensor || arg.type == ArgType::kOperand;
}

// The default as an attribute value.
void push_default(const Arg& arg, Attrs& attrs) {
  const std::string& text = arg.default_text;
  if (!arg.has_default || text == "None") return attrs.push_none();
  switch (arg.type) {
    case ArgType::kBool: return attrs.push_bool(text == "True");
    case ArgType::kInt: return attrs.push_int(std::atoll(text.c_str()));
    case ArgType::kFloat: return attrs.push_float(std::atof(text.c_str()));
    case ArgType::kInts: {
      Dims values;
      if (text[0] == '(') {
        for (const std::string& part : split(text.substr(1, text.size() - 2), ',')) {
          values.push_back(std::atoll(part.c_str()));
        }
      } else {
        values = Dims::filled(std::max(arg.length, 1), std::atoll(text.c_str()));
      }
      return attrs.push_ints(values.begin(), values.end());
    }
    case ArgType::kChoice: {
      const std::string word = text.substr(1, text.size() - 2);
      for (size_t i = 0; i < arg.choices.size(); ++i) {
        if (arg.choices[i] == word) return attrs.push_int(static_cast<int64_t>(i));
      }
      fail(ErrorKind::kRuntime, "signature: default ", text, " is no choice");
    }
    default: return attrs.push_none();
  }
}

}  // namespace

Signature parse_signature(const char* text) {
  const std::string all = text;
  Signature signature;
  const size_t open = all.find('(');
  signature.name = trim(all.substr(0, open));
  const size_t arrow = all.find("->");
  const std::string head = arrow == std::string::npos ? all : all.substr(0, arrow);
  const size_t close = head.rfind(')');
  bool keyword_only = false;
  for (const std::string& part : split(head.substr(open + 1, close - open - 1), ',')) {
    if (part == "*") {
      keyword_only = true;
      continue;
    }
    Arg arg;
    arg.keyword_only = keyword_only;
    // A choice type holds no spaces: "{a|b} name='a'".
    const size_t space = part.find(' ');
    parse_type(part.substr(0, space), arg);
    std::string rest = trim(part.substr(space));
    const size_t equals = rest.find('=');
    if (equals != std::string::npos) {
      arg.has_default = true;
      arg.default_text = trim(rest.substr(equals + 1));
      rest = trim(rest.substr(0, equals));
    }
    arg.name = rest;
    if (is_input(arg)) {
      arg.input = signature.inputs++;
    } else {
      if (arg.type == ArgType::kTensors) arg.input = signature.inputs++;
      arg.attr = signature.defaults.size();
      push_default(arg, signature.defaults);
    }
    if (!arg.has_default) signature.required = static_cast<int>(signature.args.size()) + 1;
    signature.args.push_back(arg);
  }
  if (arrow != std::string::npos) {
    std::string tail = trim(all.substr(arrow + 2));
    if (tail[0] == '(') tail = tail.substr(1, tail.size() - 2);
    for (const std::string& part : split(tail, ',')) {
      const size_t space = part.find(' ');
      signature.outputs.push_back(space == std::string::npos ? "out" : part.substr(space + 1));
    }
  } else {
    signature.outputs.push_back("out");
  }
  return signature;
}

// ---------------------------------------------------------------- registry

namespace {

std::vector<OpDef*>& rows() {
  static std::vector<OpDef*> rows;
  return rows;
}

std::unordered_map<std::string, OpDef*>& rows_by_name() {
  static std::unordered_map<std::string, OpDef*> map;
  return map;
}

}  // namespace

Row::Row(const char* signature) : def_(new OpDef) {
  def_->signature = parse_signature(signature);
  for (const Arg& arg : def_->signature.args) {
    if (arg.type == ArgType::kDType) def_->dtype_attr = arg.attr;
  }
  def_->hidden = def_->name()[0] == '_';
  if (def_->hidden) def_->method = false;
  rows().push_back(def_);
  rows_by_name()[def_->name()] = def_;
}

Row& Row::saves(const char* names) {
  const Signature& signature = def_->signature;
  for (const std::string& item : split(names, ',')) {
    const size_t space = item.find(" for ");
    const std::string what = item.substr(0, space);
    uint32_t wanted = ~0u;
    bool found = false;
    if (space != std::string::npos) {
      wanted = 0;
      const std::string who = item.substr(space + 5);
      for (const Arg& arg : signature.args) {
        if (arg.name == who) wanted |= 1u << arg.input;
      }
      CR_CHECK_STATE(wanted, signature.name, ": saves names no input '", who, "'");
    }
    for (const Arg& arg : signature.args) {
      if (arg.name != what || arg.input < 0) continue;
      found = true;
      // A list may be long: everything from its first tensor on counts as part of it.
      const int last = arg.type == ArgType::kTensors ? kMaxSaved - 1 : arg.input;
      for (int i = arg.input; i <= last; ++i) def_->saves_input_for[i] |= wanted;
    }
    for (size_t k = 0; k < signature.outputs.size(); ++k) {
      if (signature.outputs[k] == what) {
        def_->saves_outputs |= 1u << k;
        found = true;
      }
    }
    CR_CHECK_STATE(found, signature.name, ": saves names nothing called '", what, "'");
  }
  return *this;
}

const std::vector<OpDef*>& registry() { return rows(); }

const OpDef* find_op(const std::string& name) {
  const auto found = rows_by_name().find(name);
  return found == rows_by_name().end() ? nullptr : found->second;
}

const OpDef& get_op(const char* name) {
  const OpDef* op = find_op(name);
  CR_CHECK_STATE(op, "no op is called '", name, "'");
  return *op;
}

// ---------------------------------------------------------------- the C++ call

const Arg& Arguments::next() {
  CR_CHECK_STATE(position_ < static_cast<int>(op_.signature.args.size()), op_.name(),
                 ": too many arguments");
  return op_.signature.args[position_++];
}

void Arguments::add(const Tensor& value) {
  next();
  in.push_back(value);
}

void Arguments::add(const TensorList& values) {
  next();
  for (const Tensor& value : values) in.push_back(value);
  attrs.push_int(values.size());
}

void Arguments::add(bool value) {
  next();
  attrs.push_bool(value);
}

void Arguments::add(int64_t value) {
  const Arg& arg = next();
  if (arg.type == ArgType::kOperand)
    in.push_back(Tensor::scalar(value, DType::kInt64, true));
  else if (arg.type == ArgType::kFloat)
    attrs.push_float(static_cast<double>(value));
  else if (arg.type == ArgType::kInts)
    attrs.push_ints(&value, &value + 1);
  else
    attrs.push_int(value);
}

void Arguments::add(double value) {
  if (next().type == ArgType::kOperand)
    in.push_back(Tensor::scalar(value, DType::kFloat64, true));
  else
    attrs.push_float(value);
}

void Arguments::add(const Dims& value) {
  next();
  attrs.push_ints(value.begin(), value.end());
}

void Arguments::add(DType value) {
  next();
  value == DType::kUndefined ? attrs.push_none() : attrs.push_dtype(value);
}

void Arguments::add(std::nullptr_t) {
  const Arg& arg = next();
  if (arg.attr < 0)
    in.push_back(Tensor());
  else
    attrs.push_none();
}

void Arguments::finish() {
  const Signature& signature = op_.signature;
  while (position_ < static_cast<int>(signature.args.size())) {
    const Arg& arg = signature.args[position_++];
    if (arg.attr >= 0)
      attrs.push_from(signature.defaults, arg.attr);
    else
      in.push_back(Tensor());
  }
}

// ---------------------------------------------------------------- the funnel

Tape tape;

namespace {

__thread bool t_grad_enabled __attribute__((tls_model("initial-exec"))) = true;
__thread bool t_inference __attribute__((tls_model("initial-exec"))) = false;

struct Workspace {
  explicit Workspace(size_t bytes) : bytes(bytes), data(bytes ? allocate(bytes) : nullptr) {}
  ~Workspace() { deallocate(data, bytes); }
  size_t bytes;
  void* data;
};

bool any_requires_grad(const TensorList& inputs) {
  for (const Tensor& input : inputs) {
    if (input && input.requires_grad()) return true;
  }
  return false;
}

// Views of a tensor that was written to in place take their base's new history first. Tells whether
// an input holds 16-bit floats.
bool prepare_inputs(const TensorList& inputs) {
  bool half = false;
  for (const Tensor& input : inputs) {
    if (!input) continue;
    half |= is_half(input.dtype());
    if (input.impl()->view) tape.refresh(input);
  }
  return half;
}

// A Python number in the dtype it meets.
Tensor number(const Tensor& weak, DType dtype) {
  if (is_floating(weak.dtype())) return Tensor::scalar(item_double(weak), dtype);
  if (weak.dtype() == DType::kUInt64) {  // 2^63 and above
    CR_CHECK(dtype == DType::kUInt64 || is_floating(dtype),
             "number: ", static_cast<uint64_t>(item_int(weak)), " does not fit ", dtype);
    if (is_floating(dtype)) return Tensor::scalar(item_double(weak), dtype);
  }
  return Tensor::scalar(item_int(weak), dtype);
}

// Casts to the compute dtype (taped like any op). Python numbers are converted directly, also those
// that have it: a formula that adds 1 to a weak one would round it to the default dtype.
void cast_inputs(Call& call) {
  if (call.compute == DType::kUndefined) return;
  for (int i = call.cast_from; i < call.in.size(); ++i) {
    Tensor& input = call.in[i];
    if (!input || (input.dtype() == call.compute && !input.impl()->weak)) continue;
    input = input.impl()->weak ? number(input, call.compute) : OP(to)(input, call.compute);
  }
}

// Returns whether call.in was replaced; `originals` then holds what the tape must see.
bool make_contiguous(Call& call, TensorList& originals) {
  bool replaced = false;
  for (int i = 0; i < call.in.size(); ++i) {
    if (!call.in[i] || call.in[i].contiguous()) continue;
    if (!replaced) originals = call.in;
    replaced = true;
    call.in[i] = contiguous_copy(call.in[i]);
  }
  return replaced;
}

void launch(Call& call) {
  Workspace workspace(call.workspace_bytes);
  call.workspace = static_cast<char*>(workspace.data);
  call.op.launch(call);
}

void run_view(Call& call) {
  const Meta& meta = call.out_meta[0];
  if (call.materialize) {
    Tensor copy = contiguous_copy(call.in[0]);
    call.out[0] = copy.alias(meta.shape, contiguous_strides(meta.shape), 0);
    return;
  }
  call.out[0] = call.in[0].alias(meta.shape, call.view_strides, call.view_offset);
  call.out[0].impl()->dtype = meta.dtype;
}

}  // namespace

// ---------------------------------------------------------------- float16 and bfloat16

// Rows that only move elements take them as they are; all others run in float32.
namespace {

bool names_half(const OpDef& op, const Attrs& attrs) {
  return op.dtype_attr >= 0 && is_half(attrs.dtype(op.dtype_attr));
}

TensorList widened(const TensorList& inputs) {
  TensorList wide = inputs;
  for (Tensor& input : wide) {
    if (input && is_half(input.dtype())) input = OP(to)(input, DType::kFloat32);
  }
  return wide;
}

Attrs widened(const OpDef& op, const Attrs& attrs) {
  if (!names_half(op, attrs)) return attrs;
  Attrs wide;
  for (int k = 0; k < attrs.size(); ++k) {
    k == op.dtype_attr ? wide.push_dtype(DType::kFloat32) : wide.push_from(attrs, k);
  }
  return wide;
}

// The op in float32, its results rounded to the dtype they would have had. The conversions are ops:
// taped, so that gradients are computed in float32 as well.
void run_widened(const OpDef& op, const TensorList& inputs, const Attrs& attrs, Tensor* out) {
  const bool named = op.dtype_attr >= 0 && !attrs.none(op.dtype_attr);
  const DType dtype = named ? attrs.dtype(op.dtype_attr) : result_type(inputs);
  const TensorList wide = widened(inputs);
  run(op, wide, widened(op, attrs), out);
  for (int k = 0; k < kMaxOutputs && is_half(dtype); ++k) {
    if (out[k] && is_floating(out[k].dtype())) out[k] = OP(to)(out[k], dtype);
  }
  // What the row wrote into its inputs: parameters, running statistics.
  for (int i = 0; i < inputs.size(); ++i) {
    if (!inputs[i] || inputs[i].is(wide[i]) || wide[i].version() == 0) continue;
    copy_into(inputs[i], wide[i]);
    inputs[i].storage()->bump_version();
  }
}

}  // namespace

// ---------------------------------------------------------------- the call

bool GradMode::enabled() { return t_grad_enabled; }
void GradMode::set(bool on) { t_grad_enabled = on; }
bool GradMode::inference() { return t_inference; }
void GradMode::set_inference(bool on) { t_inference = on; }

void run(const OpDef& op, TensorList inputs, const Attrs& attrs, Tensor* out) {
  ProfileScope profile(op.name());
  if (op.compose) {
    out[0] = with_name(op.name(), [&] { return op.compose(inputs, attrs); });
    if (out[0]) return;
  }
  const bool half = prepare_inputs(inputs) || names_half(op, attrs);
  if (half && !op.moves) return run_widened(op, inputs, attrs, out);
  Call call(op, inputs, attrs);
  TensorList originals;
  bool replaced = false;
  if (op.view) {
    with_name(op.name(), [&] { op.infer(call); });
    run_view(call);
  } else {
    KernelScope scope;
    with_name(op.name(), [&] { op.infer(call); });
    cast_inputs(call);
    replaced = call.contiguous && make_contiguous(call, originals);
    for (int k = 0; k < call.outputs; ++k) {
      call.out[k] = Tensor::empty(call.out_meta[k].shape, call.out_meta[k].dtype);
    }
    launch(call);
  }

  const TensorList& taped = replaced ? originals : inputs;
  if (op.vjp && t_grad_enabled && any_requires_grad(taped)) {
    tape.record(op, taped, attrs, call.out, call.outputs);
  }
  if (op.view && !call.materialize && !t_inference && is_floating(call.out[0].dtype()) &&
      call.out[0].dtype() == taped[0].dtype()) {
    tape.link_view(taped[0], call.out[0]);
  }
  for (int k = 0; k < call.outputs; ++k) {
    if (t_inference) call.out[k].impl()->inference = true;
    out[k] = std::move(call.out[k]);
  }
}

Tensor run(const OpDef& op, TensorList inputs, const Attrs& attrs) {
  Tensor out[kMaxOutputs];
  run(op, std::move(inputs), attrs, out);
  return std::move(out[0]);
}

// ---------------------------------------------------------------- in-place

namespace {

// May two elements of the tensor lie at one address? (Exact for views made by the ops here.)
bool overlaps_itself(const Tensor& tensor) {
  if (tensor.contiguous() || tensor.numel() <= 1) return false;
  for (int i = 0; i < tensor.rank(); ++i) {
    if (tensor.strides()[i] == 0 && tensor.shape()[i] > 1) return true;
  }
  return false;
}

bool same_layout(const Tensor& a, const Tensor& b) {
  return a.impl()->data == b.impl()->data && a.shape() == b.shape() && a.strides() == b.strides() &&
         a.dtype() == b.dtype();
}

void check_fits(const std::string& name, const Meta& result, const Tensor& self) {
  CR_CHECK(result.shape == self.shape(), name, ": the result has shape ", result.shape,
           " and does not fit the tensor of shape ", self.shape(),
           " that it would be written into");
  CR_CHECK_TYPE(can_cast(result.dtype, self.dtype()), name, ": the result type ", result.dtype,
                " cannot be stored in a tensor of dtype ", self.dtype());
}

// A copy of the values with the same place in the graph.
Tensor preserved(const Tensor& tensor) {
  Tensor copy = Tensor::empty(tensor.shape(), tensor.dtype());
  copy_into(copy, tensor);
  copy.impl()->node = tensor.node();
  copy.impl()->output_nr = tensor.impl()->output_nr;
  return copy;
}

// The inputs as the gradient formula wants them: what it reads and the write into `self` would
// change is copied before. A row that only composes others does not say what they read.
TensorList preserve_saved(const OpDef& op, const TensorList& inputs, const Tensor& self) {
  const int listed = std::min(inputs.size(), kMaxSaved);
  uint32_t wanting = 0;
  for (int i = 0; i < listed; ++i) {
    if (inputs[i] && inputs[i].requires_grad()) wanting |= 1u << i;
  }
  TensorList kept = inputs;
  for (int i = 0; i < listed; ++i) {
    const bool saved = !op.infer || op.saves_input_for[i] & wanting;
    if (saved && inputs[i] && inputs[i].storage() == self.storage()) kept[i] = preserved(inputs[i]);
  }
  return kept;
}

}  // namespace

Tensor run_inplace(const OpDef& op, TensorList inputs, const Attrs& attrs) {
  const Tensor self = inputs[0];
  const std::string name = op.name() + "_";
  ProfileScope profile(name);
  CR_CHECK(!self.storage()->read_only(), name,
           ": the tensor's memory is read-only (it belongs to a read-only array); use .clone()");
  CR_CHECK_STATE(!overlaps_itself(self), name,
                 ": several elements of the tensor share one memory location (got shape ",
                 self.shape(), " with strides ", self.strides(),
                 "); use .clone() before writing in place");
  const bool half = prepare_inputs(inputs);
  const bool taping = t_grad_enabled && any_requires_grad(inputs);
  const auto overwrite = [&](const Tensor& result) {
    return run_inplace(OP(copy), {self, result}, OP(copy).signature.defaults);
  };
  if (op.compose_inplace && with_name(name, [&] { return op.compose_inplace(inputs, attrs); })) {
    return self;
  }
  if (op.compose) {
    const TensorList unchanged = taping ? preserve_saved(op, inputs, self) : inputs;
    const Tensor composed = with_name(name, [&] { return op.compose(unchanged, attrs); });
    if (composed) return with_name(name, [&] { return overwrite(composed); });
  }
  if (half && !op.moves) {
    if (!is_half(self.dtype())) return run_inplace(op, widened(inputs), attrs);
    return with_name(name, [&] {
      const Tensor result = run(op, inputs, attrs);
      check_fits(name, result.meta(), self);
      return overwrite(result);
    });
  }
  Call call(op, inputs, attrs);
  KernelScope scope;
  with_name(name, [&] { op.infer(call); });
  check_fits(name, call.out_meta[0], self);
  cast_inputs(call);
  const bool tracked = taping && op.vjp;
  tape.before_write(name.c_str(), self, tracked);

  const TensorList taped = tracked ? preserve_saved(op, inputs, self) : inputs;
  for (int i = 1; i < call.in.size(); ++i) {
    // An operand that shares memory with the target must be read before it is overwritten.
    Tensor& input = call.in[i];
    if (input && input.storage() == self.storage() && !same_layout(input, self)) {
      input = contiguous_copy(input);
    }
  }
  TensorList originals;
  if (call.contiguous) make_contiguous(call, originals);

  const bool direct = (op.pointwise != Pointwise::kNo || op.strided_output) && call.outputs == 1 &&
                      call.out_meta[0].dtype == self.dtype() && same_layout(call.in[0], self);
  if (direct) {
    call.out[0] = self;
    launch(call);
  } else {
    for (int k = 0; k < call.outputs; ++k) {
      call.out[k] = Tensor::empty(call.out_meta[k].shape, call.out_meta[k].dtype);
    }
    launch(call);
    copy_into(self, call.out[0]);
  }
  self.storage()->bump_version();
  tape.after_write(op, taped, attrs, self, tracked);
  return self;
}

}  // namespace cr

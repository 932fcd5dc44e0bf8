// The op row and the funnel.
//
// An op is one `OpDef`: signature, doc, how to infer its outputs, a launcher for its kernel and a
// gradient formula. Everything else (C++ call, Python function and method, docstring, stub, taping)
// follows from it. Every computation goes through `run`.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace cr {

// ---------------------------------------------------------------- attributes

constexpr int kMaxAttrs = 12;
constexpr int kMaxAttrInts = 48;

// The arguments of an op that are not tensors: plain data, in the order of the signature, so that
// a call can be saved, printed and replayed.
class Attrs {
 public:
  enum class Kind : uint8_t { kNone, kBool, kInt, kFloat, kInts, kDType };

  Attrs() = default;
  Attrs(const Attrs& other) { *this = other; }
  Attrs& operator=(const Attrs& other);

  int size() const { return size_; }
  Kind kind(int k) const { return values_[k].kind; }
  bool none(int k) const { return values_[k].kind == Kind::kNone; }
  bool b(int k) const { return values_[k].i != 0; }
  int64_t i(int k) const { return values_[k].i; }
  double f(int k) const {
    return values_[k].kind == Kind::kFloat ? values_[k].f : static_cast<double>(values_[k].i);
  }
  DType dtype(int k, DType otherwise = DType::kUndefined) const {
    return none(k) ? otherwise : static_cast<DType>(values_[k].i);
  }
  Dims ints(int k) const {  // empty when None
    const Value& v = values_[k];
    return Dims(ints_ + v.first, ints_ + v.first + v.count);
  }

  void push_none() { push(Kind::kNone); }
  void push_bool(bool value) { push(Kind::kBool).i = value; }
  void push_int(int64_t value) { push(Kind::kInt).i = value; }
  void push_float(double value) { push(Kind::kFloat).f = value; }
  void push_dtype(DType value) { push(Kind::kDType).i = static_cast<int64_t>(value); }
  void push_ints(const int64_t* begin, const int64_t* end);
  void push_from(const Attrs& other, int k);

 private:
  struct Value {
    Kind kind;
    uint8_t count, first;  // of an int list, in ints_
    union {
      int64_t i;
      double f;
    };
  };
  Value& push(Kind kind);

  int size_ = 0;
  int ints_used_ = 0;
  Value values_[kMaxAttrs];
  int64_t ints_[kMaxAttrInts];
};

// ---------------------------------------------------------------- signature

enum class ArgType : uint8_t {
  kTensor,   // "Tensor x", "Tensor? x=None"
  kOperand,  // "Operand x": a tensor or a Python number
  kTensors,  // "Tensor[] xs", "Tensor?[] xs": adds its length as an int attribute
  kBool,
  kInt,
  kFloat,
  kInts,
  kDType,
  kChoice,  // "{none|mean|sum} reduction='mean'": stored as the index of the word
};

struct Arg {
  ArgType type;
  std::string name;
  bool optional = false;  // None is accepted
  bool has_default = false;
  bool variadic = false;      // "int... shape": also f(2, 3)
  bool keyword_only = false;  // after "*"
  int length = 0;             // "int[2] x": a single int is repeated
  std::vector<std::string> choices;
  std::string default_text;
  int input = -1;  // index among the tensor arguments, or
  int attr = -1;   // index among the attributes
};

struct Signature {
  std::string name;
  std::vector<Arg> args;
  std::vector<std::string> outputs;  // names; one unnamed output is "out"
  Attrs defaults;                    // None where there is no default
  int inputs = 0;                    // tensor arguments
  int required = 0;                  // leading arguments without a default
};

// Text as in "add(Tensor input, Operand other, *, float alpha=1) -> Tensor".
Signature parse_signature(const char* text);

// ---------------------------------------------------------------- the row

constexpr int kMaxOutputs = 6;
constexpr int kMaxSaved = 12;  // inputs beyond it cannot be saved (lists)
class Vjp;
struct OpDef;

// One invocation, as `infer` completes it and `launch` reads it.
struct Call {
  Call(const OpDef& op, TensorList& in, const Attrs& attrs) : op(op), in(in), attrs(attrs) {}

  const OpDef& op;
  TensorList& in;  // undefined where an optional tensor is None
  const Attrs& attrs;

  // infer's answers
  int outputs = 1;
  Meta out_meta[kMaxOutputs];
  DType compute = DType::kUndefined;  // inputs are cast to it before the launch...
  int cast_from = 0;                  // ...from this one on
  bool contiguous = false;            // inputs are made contiguous before the launch
  size_t workspace_bytes = 0;
  // of a view row: strides and offset (in elements of in[0]'s storage, from in[0]'s data)
  Dims view_strides;
  int64_t view_offset = 0;
  bool materialize = false;  // a view row that must copy this time (reshape)

  // launch's
  Tensor out[kMaxOutputs];
  char* workspace = nullptr;

  const char* name() const;
  void set_output(int k, const Dims& shape, DType dtype) {
    out_meta[k].shape = shape;
    out_meta[k].dtype = dtype;
  }
};

using Infer = void (*)(Call&);
using Launch = void (*)(Call&);
using Compose = Tensor (*)(const TensorList& in, const Attrs& attrs);
using ComposeInplace = bool (*)(const TensorList& in, const Attrs& attrs);
using VjpFormula = void (*)(Vjp&);
using Block = void (*)(void* out, const void* const* in, int64_t n, const double* params);
struct Rows;
using RowsBlock = void (*)(void* out, const void* const* in, const Rows& rows,
                           const double* params);

// How a pointwise op chooses the dtype it computes in and the one it returns.
enum class Pointwise : uint8_t {
  kNo,
  kArithmetic,  // promoted type in and out
  kFloat,       // integers become the default float
  kCompare,     // promoted type in, bool out
  kLogical,     // everything becomes bool
  kInteger,     // integers and bool only
  kPredicate,   // float in, bool out
  kSelect,      // first operand bool, the others promoted
};

struct OpDef {
  Signature signature;
  const char* doc = "";
  const char* by_dtype = nullptr;  // the row called when a dtype stands in place of the sizes

  Infer infer = nullptr;
  Launch launch = nullptr;    // null for views
  Compose compose = nullptr;  // written with other ops; may decline by returning no tensor
  ComposeInplace compose_inplace = nullptr;  // the same by others' in-place forms; may decline
  VjpFormula vjp = nullptr;
  Pointwise pointwise = Pointwise::kNo;
  Block blocks[kNumDTypes] = {};
  RowsBlock row_blocks[kNumDTypes] = {};  // may be null where the block is not

  // What the formula reads: input i is kept when an input of the mask saves_input_for[i] wants a
  // gradient (0: never kept), output k when bit k is set.
  uint32_t saves_input_for[kMaxSaved] = {};
  uint32_t saves_outputs = 0;
  int dtype_attr = -1;          // the attribute that names the result's dtype
  bool moves = false;           // elements of any dtype are moved or converted, not computed with
  bool view = false;            // the output shares the input's storage
  bool inplace = false;         // also exists as `name_`
  bool strided_output = false;  // the launch accepts an output of any layout
  bool mutates = false;         // writes into its inputs (optimizer steps); never taped
  bool broadcasts = false;      // gradients are summed back to the input's shape by the engine
  bool method = true;           // also a method of Tensor
  bool nn = false;              // public as chainrule.nn.functional.name only
  bool hidden = false;          // name starts with "_"

  const std::string& name() const { return signature.name; }
  template <class... Args>
  Tensor operator()(const Args&... args) const;
};

// Without the underscore of a hidden row: the name is for messages.
inline const char* Call::name() const {
  const char* text = op.signature.name.c_str();
  return *text == '_' ? text + 1 : text;
}

// Builder of rows:
//   static const Row exp_row = Row("exp(Tensor input)").pointwise(Pointwise::kFloat)...;
class Row {
 public:
  explicit Row(const char* signature);
  Row& doc(const char* text) { return def_->doc = text, *this; }
  Row& by_dtype(const char* row) { return def_->by_dtype = row, *this; }
  Row& infer(Infer f) { return def_->infer = f, *this; }
  Row& launch(Launch f) { return def_->launch = f, *this; }
  Row& compose(Compose f) { return def_->compose = f, *this; }
  Row& compose_inplace(ComposeInplace f) { return def_->compose_inplace = f, *this; }
  Row& vjp(VjpFormula f) { return def_->vjp = f, *this; }
  // What the formula reads: "out, other for input" (other is kept only when input wants a
  // gradient).
  Row& saves(const char* names);
  Row& pointwise(Pointwise kind) { return def_->pointwise = kind, def_->broadcasts = true, *this; }
  Row& view() { return def_->view = def_->moves = true, *this; }
  Row& moves() { return def_->moves = true, *this; }
  Row& inplace() { return def_->inplace = true, *this; }
  Row& strided_output() { return def_->strided_output = true, *this; }
  Row& mutates() { return def_->mutates = true, *this; }
  Row& broadcasts() { return def_->broadcasts = true, *this; }
  Row& function_only() { return def_->method = false, *this; }
  Row& nn() { return def_->nn = true, def_->method = false, *this; }

 private:
  OpDef* def_;
};

const std::vector<OpDef*>& registry();
const OpDef* find_op(const std::string& name);  // null when absent
const OpDef& get_op(const char* name);          // throws when absent
void finish_registration();                     // resolves kernels; called once at load

// OP(mul)(a, b): the row by name, looked up once. An atomic rather than a guarded static: a child
// of fork() would wait for ever for a guard that another thread held.
#define OP(op_name)                                                \
  ([]() -> const ::cr::OpDef& {                                    \
    static std::atomic<const ::cr::OpDef*> known{nullptr};         \
    const ::cr::OpDef* op = known.load(std::memory_order_acquire); \
    if (!op) {                                                     \
      op = &::cr::get_op(#op_name);                                \
      known.store(op, std::memory_order_release);                  \
    }                                                              \
    return *op;                                                    \
  }())

// ---------------------------------------------------------------- the funnel

// Runs an op. Results stay in `out` (as many as the row has).
void run(const OpDef& op, TensorList inputs, const Attrs& attrs, Tensor* out);
Tensor run(const OpDef& op, TensorList inputs, const Attrs& attrs);
// Writes the result into inputs[0].
Tensor run_inplace(const OpDef& op, TensorList inputs, const Attrs& attrs);

// Is the tape on for this thread?
struct GradMode {
  static bool enabled();
  static void set(bool on);
  static bool inference();
  static void set_inference(bool on);
};
class NoGrad {
 public:
  explicit NoGrad(bool enabled = false) : before_(GradMode::enabled()) { GradMode::set(enabled); }
  ~NoGrad() { GradMode::set(before_); }

 private:
  bool before_;
};

// csrc/autograd installs these; the core knows nothing of gradients beyond them.
struct Tape {
  // After a launch whose inputs want gradients.
  void (*record)(const OpDef& op, const TensorList& inputs, const Attrs& attrs, Tensor* out,
                 int outputs);
  // Around an in-place write to `self`: check, then replace its history.
  void (*before_write)(const char* op, const Tensor& self, bool tracked);
  void (*after_write)(const OpDef& op, const TensorList& inputs, const Attrs& attrs,
                      const Tensor& self, bool tracked);
  void (*link_view)(const Tensor& base, Tensor& view);
  void (*refresh)(const Tensor& view);  // a view whose base was written to gets its new history
};
extern Tape tape;

// Collects arguments in the order of the signature (the C++ call).
class Arguments {
 public:
  explicit Arguments(const OpDef& op) : op_(op) {}
  void add(const Tensor& value);
  void add(const TensorList& values);
  void add(bool value);
  void add(int64_t value);
  void add(int value) { add(static_cast<int64_t>(value)); }
  void add(double value);
  void add(const Dims& value);
  void add(DType value);
  void add(std::nullptr_t);
  void finish();  // defaults for what was not given

  TensorList in;
  Attrs attrs;

 private:
  const Arg& next();
  const OpDef& op_;
  int position_ = 0;
};

template <class... Args>
Tensor OpDef::operator()(const Args&... args) const {
  Arguments arguments(*this);
  (arguments.add(args), ...);
  arguments.finish();
  return run(*this, std::move(arguments.in), arguments.attrs);
}

// Row-major copy when needed, without taping.
Tensor contiguous_copy(const Tensor& tensor);
// Writes `source` (any layout, dtype) into `target` (any layout), without taping.
void copy_into(const Tensor& target, const Tensor& source);

// Formulas read like mathematics.
inline Tensor operator+(const Tensor& a, const Tensor& b) { return OP(add)(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return OP(sub)(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return OP(mul)(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return OP(div)(a, b); }
inline Tensor operator-(const Tensor& a) { return OP(neg)(a); }
inline Tensor operator+(const Tensor& a, double b) { return OP(add)(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return OP(sub)(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return OP(mul)(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return OP(div)(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return OP(add)(a, b); }
inline Tensor operator-(double a, const Tensor& b) { return OP(sub)(a, b); }
inline Tensor operator/(double a, const Tensor& b) { return OP(div)(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return OP(mul)(a, b); }

}  // namespace cr

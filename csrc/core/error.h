// Errors that help: CR_CHECK(cond, "conv2d: weight has ", ndim, " dimensions; expected 4").
// Message grammar: `op: what is wrong (got ...); expected ...; hint`. Shapes print as Python
// tuples.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace cr {

enum class ErrorKind { kValue, kType, kIndex, kRuntime };

// The one exception type of the core. The binding maps the kind to the Python exception.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream stream;
  (stream << ... << args);
  return stream.str();
}

template <class... Args>
[[noreturn, gnu::cold, gnu::noinline]] void fail(ErrorKind kind, const Args&... args) {
  throw Error(kind, concat(args...));
}

// Runs f; an error that names another op, or none, is raised again under this name. What a private
// row says for the function that calls it stays.
template <class F>
decltype(auto) with_name(const std::string& name, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    const std::string text = error.what();
    const size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
    const bool named = end != std::string::npos && text.compare(end, 2, ": ") == 0;
    if (named && (name[0] == '_' || text.compare(0, end, name) == 0)) throw;
    throw Error(error.kind(), name + (named ? "" : ": ") + text.substr(named ? end : 0));
  }
}

}  // namespace cr

#define CR_CHECK_KIND(kind, cond, ...)                               \
  do {                                                               \
    if (__builtin_expect(!(cond), 0)) ::cr::fail(kind, __VA_ARGS__); \
  } while (0)

#define CR_CHECK(cond, ...) CR_CHECK_KIND(::cr::ErrorKind::kValue, cond, __VA_ARGS__)
#define CR_CHECK_TYPE(cond, ...) CR_CHECK_KIND(::cr::ErrorKind::kType, cond, __VA_ARGS__)
#define CR_CHECK_INDEX(cond, ...) CR_CHECK_KIND(::cr::ErrorKind::kIndex, cond, __VA_ARGS__)
#define CR_CHECK_STATE(cond, ...) CR_CHECK_KIND(::cr::ErrorKind::kRuntime, cond, __VA_ARGS__)

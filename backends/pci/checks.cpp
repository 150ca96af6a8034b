// SPDX-License-Identifier: Apache-2.0
#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <ranges>
#include <sstream>
#include <vector>

#include "model/text.h"

namespace mdevfs::backends::pci {
namespace {

using model::fail;
using model::Result;
using model::without_newline;

struct Kind {
  std::string_view name;
  std::uint64_t flags;
};
// The kernel's flags of a range of each kind.
constexpr Kind kKinds[] = {{"mem", 0x40200}, {"mem64", 0x140204}, {"io", 0x40101}, {"rom", 0x46200}};
constexpr std::uint64_t kPrefetch = 0x2008;
constexpr std::size_t kFirstVirtual = 7;  // from there on they are the virtual functions' own

struct Bar {
  std::size_t number = 0;
  std::uint64_t size = 0;
  std::uint64_t flags = kKinds[0].flags;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream input(text);
  for (std::string part; std::getline(input, part, separator);) parts.push_back(part);
  return parts;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::string_view kUnits[] = {"", "K", "M", "G"};
  const auto at = std::ranges::find(kUnits, unit);
  if (error != std::errc{} || at == std::end(kUnits)) return std::nullopt;
  const auto shift = 10 * static_cast<unsigned>(at - kUnits);
  if (size == 0 || size > (std::uint64_t{1} << 44U >> shift)) return std::nullopt;
  size <<= shift;
  return (size & (size - 1)) == 0 ? std::optional(size) : std::nullopt;
}

std::optional<Bar> parse_bar(const std::string& word) {
  const auto equals = word.find('=');
  if (equals == std::string::npos) return std::nullopt;
  Bar bar;
  const auto [end, error] = std::from_chars(word.data(), word.data() + equals, bar.number);
  const auto parts = split(word.substr(equals + 1), ',');
  if (error != std::errc{} || end != word.data() + equals || bar.number >= kResources || parts.empty())
    return std::nullopt;
  const auto size = parse_size(parts[0]);
  if (!size) return std::nullopt;
  bar.size = *size;
  bool prefetch = false;
  for (const auto& part : parts | std::views::drop(1)) {
    const auto kind = std::ranges::find(kKinds, part, &Kind::name);
    if (kind != std::end(kKinds)) {
      bar.flags = kind->flags;
    } else if (part == "pref") {
      prefetch = true;
    } else {
      return std::nullopt;
    }
  }
  if (prefetch) bar.flags |= kPrefetch;
  return bar;
}

std::optional<std::vector<Bar>> parse_bars(std::string_view text) {
  std::vector<Bar> bars;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    const auto bar = parse_bar(word);
    if (!bar) return std::nullopt;
    bars.push_back(*bar);
  }
  return bars;
}

// Where the next range of each kind may begin, in windows that are the function's own by its address.
struct Windows {
  explicit Windows(const Address& address)
      : memory(0x80000000 + std::uint64_t{address.bus()} * 0x400000),
        memory64(0x380000000000 + std::uint64_t{address.routing_id} * 0x100000000),
        io(0x1000 + std::uint64_t{address.bus()} * 0x80) {}
  std::uint64_t& of(std::uint64_t flags) {
    if (flags == kKinds[2].flags) return io;
    return (flags & 0x100000) != 0 ? memory64 : memory;
  }
  std::uint64_t memory, memory64, io;
};

}  // namespace

Result<std::uint64_t> parse_hex(std::string_view text, std::uint64_t most) {
  text = without_newline(text);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return fail(EINVAL);
  return value;
}

Result<std::string> keep_hex(std::string_view text, std::uint64_t most) {
  const auto value = parse_hex(text, most);
  if (!value) return std::unexpected(value.error());
  return fmt::format("{:#0{}x}", *value, fmt::formatted_size("{:#x}", most));
}

Result<std::string> take_address(std::string_view text) {
  const auto address = parse_address(without_newline(text));
  if (!address) return std::unexpected(address.error());
  return to_string(*address);
}

// A root bus, pciDDDD:BB, and bridges below it.
Result<std::string> take_path(std::string_view text) {
  const std::string path(without_newline(text));
  const auto steps = split(path, '/');
  for (const auto& step : steps) {
    const bool root = &step == steps.data();
    if (root ? !step.starts_with("pci") || !parse_address(step.substr(3) + ":00.0") : !parse_address(step))
      return fail(EINVAL);
  }
  return path;
}

Result<std::string> take_bytes(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return fail(EINVAL);
    digits.push_back(c);
  }
  constexpr std::size_t kSizes[] = {0, 128, 512, 8192};
  if (std::ranges::find(kSizes, digits.size()) == std::end(kSizes)) return fail(EINVAL);
  return digits;
}

Result<std::string> take_resource(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::size_t count = 0;
  for (std::string word; words >> word; ++count) {
    if (!word.starts_with("0x") || !parse_hex(word, UINT64_MAX)) return fail(EINVAL);
  }
  if (count % 3 != 0 || count > 3 * kResources) return fail(EINVAL);
  return std::string(without_newline(text));
}

Result<std::string> take_bars(std::string_view text) {
  text = without_newline(text);
  return parse_bars(text) ? Result<std::string>(std::string(text)) : fail(EINVAL);
}

std::array<Resource, kResources> place_bars(std::string_view text, const Address& address,
                                            unsigned functions) {
  std::array<Resource, kResources> resources{};
  Windows windows(address);
  for (const Bar& bar : parse_bars(text).value_or(std::vector<Bar>())) {
    std::uint64_t& next = windows.of(bar.flags);
    const std::uint64_t start = (next + bar.size - 1) & ~(bar.size - 1);
    next = start + bar.size * (bar.number < kFirstVirtual ? 1 : std::max(functions, 1U));
    resources[bar.number] = {.start = start, .end = next - 1, .flags = bar.flags};
  }
  return resources;
}

}  // namespace mdevfs::backends::pci

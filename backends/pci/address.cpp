// SPDX-License-Identifier: Apache-2.0
#include "address.h"

#include <fmt/format.h>

#include <charconv>

namespace mdevfs::backends::pci {
namespace {

// Takes exactly so many hexadecimal digits, and the separator after them.
bool take(std::string_view& text, std::size_t digits, std::string_view separator, unsigned& value) {
  if (text.size() < digits + separator.size() || text.substr(digits, separator.size()) != separator)
    return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value, 16);
  if (error != std::errc{} || end != text.data() + digits) return false;
  text.remove_prefix(digits + separator.size());
  return true;
}

}  // namespace

model::Result<Address> parse_address(std::string_view text) {
  unsigned domain = 0, bus = 0, device = 0, function = 0;
  // Domains beyond ffff have more digits.
  const auto domain_digits = std::max<std::size_t>(4, std::min(text.find(':'), text.size()));
  const bool whole = take(text, domain_digits, ":", domain) && take(text, 2, ":", bus) &&
                     take(text, 2, ".", device) && take(text, 1, "", function);
  if (!whole || !text.empty() || device > 31 || function > 7) return model::fail(EINVAL);
  return Address{.domain = domain,
                 .routing_id = static_cast<std::uint16_t>(bus << 8U | device << 3U | function)};
}

std::string to_string(const Address& address) {
  const unsigned id = address.routing_id;
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", address.domain, id >> 8U, id >> 3U & 0x1fU, id & 7U);
}

}  // namespace mdevfs::backends::pci

// SPDX-License-Identifier: Apache-2.0
#include "uuid.h"

#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

namespace mdevfs::model {
namespace {

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool has_uuid_form(std::string_view text) {
  for (std::size_t i = 0; i < kUuidLength; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

}  // namespace

Result<Uuid> parse_create_text(std::string_view text) {
  if (text.size() < kUuidLength || text.size() > kUuidLength + 1) return fail(EINVAL);
  if (!has_uuid_form(text)) return fail(EINVAL);
  return boost::uuids::string_generator{}(text.begin(), text.begin() + kUuidLength);
}

std::string to_string(const Uuid& uuid) {
  return boost::uuids::to_string(uuid);
}

}  // namespace mdevfs::model

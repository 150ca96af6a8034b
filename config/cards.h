// SPDX-License-Identifier: Apache-2.0
//
// Where cards are found, and what they make of the settings of a unit whose parents name them. A backend sees
// only the outcome and does not know what a card is.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/backends.h"
#include "card.h"

namespace mdevfs::config {

// The directories in which this program looks for cards, the first one first; they need not be there. For
// the time before there is a second thread, as it asks the environment.
std::vector<std::filesystem::path> card_directories();

// The cards that there are. Thread-safety: all functions from any thread; they read files.
class Cards {
 public:
  Cards() = default;
  // `base`: what a card that is named as a path is relative to.
  Cards(std::vector<std::filesystem::path> directories, std::filesystem::path base)
      : directories_(std::move(directories)), base_(std::move(base)) {}

  // Where the card of this name is; a name with `/` or `.toml` is a path. The error is a sentence, which has
  // the names of those for the backend.
  std::expected<std::filesystem::path, std::string> find(std::string_view name,
                                                         std::string_view backend) const;

  struct Listed {
    std::string name;
    std::filesystem::path file;
    std::expected<CardHeading, std::vector<std::string>> heading;  // as read_card_heading has it
  };
  // Of one name the first, sorted by name.
  std::vector<Listed> list() const;
  std::vector<std::string> names_for(std::string_view backend) const;

 private:
  std::vector<std::filesystem::path> directories_;
  std::filesystem::path base_;
};

// The settings with what the cards of their parents say: values that a parent does not set itself, the types
// as items CARD/ID, and which of them a parent has. A parent whose backend has a card for those that say
// nothing has that one, where neither it nor the unit has types. Without a card anywhere they are as they
// were. There is at least one complaint.
std::expected<backends::Settings, std::vector<backends::Complaint>> complete(const backends::Backend& backend,
                                                                             backends::Settings settings,
                                                                             const Cards& cards);

}  // namespace mdevfs::config

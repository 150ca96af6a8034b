// SPDX-License-Identifier: Apache-2.0
//
// What clients do, with plain system calls. Each throws std::system_error where the system refuses.
#pragma once

#include <functional>
#include <string>

namespace mdevfs::bench {

void read_attribute(const std::string& path);                            // open, read, close
void write_attribute(const std::string& path, const std::string& text);  // open, write, close
void stat_path(const std::string& path);
void read_link(const std::string& path);
void look_for(const std::string& path);               // of a name that is not there
std::size_t list_directory(const std::string& path);  // how many there are
// As `ls -l` does: lstat of every entry, and readlink of the links.
std::size_t list_long(const std::string& path);
std::size_t write_attribute_often(const std::string& path, std::size_t times, std::string (*text)());
// Nanoseconds from the moment that lets so many processes go until the last of them has done its work.
double time_of_processes(std::size_t processes, const std::function<void(std::size_t process)>& work);
// The same text each time in the same run, and no two alike.
std::string next_uuid();

}  // namespace mdevfs::bench

// SPDX-License-Identifier: Apache-2.0
//
// Operations that speak to the machine beside its files: modules, uevents, the kernel log, vfio; and the two
// that measure how the cost of a device grows with their number.
#include <fmt/format.h>

#include <chrono>

#include "operation.h"
#include "text.h"

namespace mdevfs::conformance {
namespace {

using namespace std::chrono_literals;

constexpr auto kQuiet = 100ms;

Outcome insert_module(Context& context, Arguments& arguments) {
  const auto module = arguments.word();
  const int error = context.machine.insmod(module, arguments.rest());
  return error == 0 ? ok() : failed("finit_module", error);
}

Outcome remove_module(Context& context, Arguments& arguments) {
  const int error = context.machine.rmmod(arguments.word());
  return error == 0 ? ok() : failed("delete_module", error);
}

enum class Keys { kNone, kAll };

std::vector<std::string> lines_of(const std::vector<Uevent>& events, Keys keys) {
  std::vector<std::string> lines;
  for (const auto& event : events) {
    lines.push_back(event.head);
    if (keys == Keys::kNone) continue;
    for (const auto& key : event.keys) {
      lines.push_back("  " + (key.starts_with("SEQNUM=") ? "SEQNUM=*" : key));
    }
  }
  return lines;
}

template <Keys keys>
Outcome uevents(Context& context, Arguments& arguments) {
  const auto quiet = std::chrono::milliseconds(arguments.number(kQuiet.count()));
  const auto events = context.machine.uevents(quiet);
  if (!events) return {std::string(kNotHeard), {}};
  const auto count = fmt::format("{} event{}", events->size(), events->size() == 1 ? "" : "s");
  auto lines = lines_of(*events, keys);
  if (lines.empty()) return {count, {}};
  lines.push_back(count);
  return block(std::move(lines));
}

Outcome drop_uevents(Context& context, Arguments&) {
  context.machine.uevents(kQuiet);
  return {"dropped", {}};
}

Outcome kernel_log(Context& context, Arguments&) {
  auto lines = context.machine.log();
  if (!lines) return {std::string(kNotHeard), {}};
  return lines->empty() ? Outcome{"nothing", {}} : block(std::move(*lines));
}

Outcome drop_kernel_log(Context& context, Arguments&) {
  context.machine.log();
  return {"dropped", {}};
}

// Held as NAME, and what it hangs on as NAME.g and NAME.c.
Outcome open_vfio(Context& context, Arguments& arguments) {
  const std::string name(arguments.word());
  const auto group = arguments.path();
  auto opened = context.machine.vfio_open(group, arguments.path());
  if (!opened) return {"this machine has no vfio", {}};
  if (!*opened) return failed(opened->error().call, opened->error().error);
  context.held.put(name, std::move((*opened)->device));
  context.held.put(name + ".g", std::move((*opened)->group));
  context.held.put(name + ".c", std::move((*opened)->container));
  return ok();
}

// Writes for the devices FIRST, FIRST+1, ...; a line of the average for each STEP of them.
template <typename Write>
Outcome measured(Arguments& arguments, Write write) {
  const auto first = arguments.number();
  const auto count = arguments.number();
  const auto step = std::max(arguments.number(count), 1LL);
  std::vector<std::string> lines;
  for (long long begin = 0; begin < count; begin += step) {
    const auto end = std::min(begin + step, count);
    const auto start = std::chrono::steady_clock::now();
    for (long long n = begin; n < end; ++n) {
      const auto outcome = write(made_up_uuid(static_cast<std::uint64_t>(first + n)));
      if (!outcome.text.starts_with("ok")) lines.push_back(fmt::format("{}: {}", n, outcome.text));
    }
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    lines.push_back(fmt::format("{}..{}: {:.2f} ms each", begin, end - 1,
                                taken.count() / static_cast<double>(end - begin)));
  }
  return block(std::move(lines));
}

Outcome measure_creates(Context& context, Arguments& arguments) {
  const auto create = arguments.path();
  return measured(arguments,
                  [&](const std::string& uuid) { return store_text(context, create, O_WRONLY, uuid); });
}

Outcome measure_removes(Context& context, Arguments& arguments) {
  const auto devices = arguments.path();
  return measured(arguments, [&](const std::string& uuid) {
    return store_text(context, fmt::format("{}/{}/remove", devices, uuid), O_WRONLY, "1");
  });
}

constexpr Operation kOperations[] = {
    {"insmod", insert_module},      {"rmmod", remove_module},   {"uev", uevents<Keys::kAll>},
    {"uevb", uevents<Keys::kNone>}, {"uevdrop", drop_uevents},  {"dmesg", kernel_log},
    {"dmesgdrop", drop_kernel_log}, {"bench", measure_creates}, {"benchrm", measure_removes},
    {"vfioopen", open_vfio},
};

}  // namespace

std::span<const Operation> machine_operations() {
  return kOperations;
}

}  // namespace mdevfs::conformance

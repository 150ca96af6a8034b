// SPDX-License-Identifier: Apache-2.0
//
// Scenarios made up: see generator.h. A method writes one line, or the few that belong together.
#include "generator.h"

#include <fmt/format.h>

#include <algorithm>

namespace mdevfs::conformance {
namespace {

constexpr std::string_view kModules[] = {"mtty", "mdpy", "mbochs", "slowmdev"};
constexpr std::string_view kControlFile = "/sys/kernel/slowmdev/ctl";
constexpr std::string_view kParameters = "/sys/module/slowmdev/parameters/";
constexpr std::string_view kHome = "/tmp/here/home";
constexpr std::size_t kMostParents = 3;
constexpr std::size_t kMostHeld = 24;

// $ is a new UUID of the right form.
constexpr std::string_view kBadUuids[] = {"",
                                          "\\n",
                                          "bogus",
                                          "$\\n\\n",
                                          "\\s$",
                                          "\\n$",
                                          "{$}",
                                          "$$",
                                          "$xx",
                                          "0x$",
                                          "+$",
                                          "@36*0",
                                          "@36*-",
                                          "@37*f",
                                          "@4096*0",
                                          "@5000*x",
                                          "$\\n$",
                                          "83b8f4f2509f382f3c1ee6bfe0fa1001",
                                          "83b8f4f2-509f-382f-3c1e-e6bfe0fa100",
                                          "83b8f4f2-509f-382f-3c1e-e6bfe0fa100g",
                                          "83b8f4f2_509f_382f_3c1e_e6bfe0fa1001",
                                          "83b8f4f2-509f-382f-3c1ee-6bfe0fa1001"};
constexpr std::string_view kThirtySeventh[] = {"",    "",  "",    "",    "",      "\\n", "\\n",
                                               "\\n", "x", "\\0", "\\s", "\\xff", "0"};
constexpr std::string_view kRemoves[] = {"1",
                                         "1",
                                         "1",
                                         "1\\n",
                                         "1\\n",
                                         "2",
                                         "01",
                                         "0x1",
                                         "+1",
                                         "010",
                                         "1\\0",
                                         "1\\0garbage",
                                         "0xffffffffffffffff",
                                         "18446744073709551615"};
constexpr std::string_view kBadRemoves[] = {"",
                                            "\\n",
                                            "0",
                                            "0\\n",
                                            "00",
                                            "0x0",
                                            "-1",
                                            "-0",
                                            "abc",
                                            "0x",
                                            "08",
                                            "1\\s",
                                            "\\s1",
                                            "1\\n\\n",
                                            "1x",
                                            "1 1",
                                            "18446744073709551616",
                                            "++1",
                                            "1.0",
                                            "0b1",
                                            "true",
                                            "\\0",
                                            "@4096*01",
                                            "1\\r\\n"};
constexpr std::string_view kUevents[] = {
    "add",    "add\\n",          "change",      "change\\n", "remove",  "move",
    "online", "offline",         "bind",        "unbind",    "ADD",     "addx",
    "ad",     "\\sadd",          "add\\n\\n",   "add\\0",    "\\n",     "bogus",
    "add $",  "add $ A=1 B=abc", "add $ A_B=1", "add zzz",   "add $ A", "change $ SEQ=1\\n"};
constexpr std::string_view kPowers[] = {"on",  "auto",    "on\\n",    "auto\\n",     "off", "",    "\\n",
                                        "onx", "enabled", "disabled", "disabled\\n", "0",   "1000"};
constexpr std::string_view kTexts[] = {"1",       "0",       "x",   "add",     "on",
                                       "auto\\n", "enabled", "\\n", "@4097*1", "$"};
constexpr std::string_view kWays[] = {"write",  "write",  "write",   "write",      "writet",      "writet",
                                      "writea", "writec", "writerw", "splicefrom", "sendfilefrom"};
constexpr std::string_view kModes[] = {"0644", "0600", "0444", "0222", "0666",
                                       "0200", "0755", "0700", "0",    "04755"};
constexpr std::string_view kUsers[] = {"65534", "65534", "1000", "0"};
constexpr std::string_view kAttributes[] = {"trusted.a",   "trusted.a", "trusted.b",
                                            "trusted.a.b", "user.a",    "bogus"};
constexpr std::string_view kLists[] = {"ls", "ls", "lsraw", "lsrawn", "lsn", "lsoff", "lscount", "inoreal"};
constexpr std::string_view kLooks[] = {"stat", "stat", "stat", "statL", "exists", "access"};
constexpr std::string_view kAccesses[] = {"r", "w", "x", "rw", "f"};
constexpr std::string_view kOpenFlags[] = {"RDONLY",         "RDONLY", "RDONLY",          "WRONLY",
                                           "WRONLY",         "RDWR",   "RDONLY|NONBLOCK", "WRONLY|SYNC",
                                           "ACC3",           "PATH",   "PATH|NOFOLLOW",   "RDONLY|DIRECTORY",
                                           "RDONLY|NOFOLLOW"};
constexpr std::string_view kOddFlags[] = {
    "RDONLY|DIRECT", "WRONLY|CREAT|EXCL", "RDONLY|TRUNC",   "WRONLY|TRUNC",
    "RDONLY|CREAT",  "RDWR|TMPFILE",      "RDONLY|NOATIME", "RDONLY|NOFOLLOW|DIRECTORY",
    "WRONLY|APPEND", "RDWR|CREAT|TRUNC"};

// What becomes of a held descriptor; @ is its name.
constexpr std::string_view kHeldUses[] = {"hread @",
                                          "hread @",
                                          "hread @ 1",
                                          "hread @ 2",
                                          "hpread @ 0 4",
                                          "hpread @ 1 100",
                                          "hpread @ 5000 10",
                                          "hpread @ 0 0",
                                          "hseek @ 0 SET",
                                          "hseek @ 0 SET",
                                          "hseek @ 0 CUR",
                                          "hstat @",
                                          "hstat @",
                                          "hls @",
                                          "hls @",
                                          "hpoll @",
                                          "hfsync @",
                                          "hftruncate @ 0",
                                          "hfchmod @ 644",
                                          "hfchmod @ 600",
                                          "hmmap @",
                                          "hreopen @ RDONLY",
                                          "hreopen @ WRONLY",
                                          "hreadlinkat @ ",
                                          "hreadlinkat @ mdev_type",
                                          "hstatat @ uevent",
                                          "hstatat @ .",
                                          "hstatat @ power/control",
                                          "hwrite @ add",
                                          "hwrite @ 1",
                                          "hwrite @ 1\\n",
                                          "hwrite @ on",
                                          "hwrite @ $"};
constexpr std::string_view kRelative[] = {"stat .",
                                          "stat ..",
                                          "stat uevent",
                                          "read uevent",
                                          "read ../uevent",
                                          "write uevent change",
                                          "ls ..",
                                          "ls .",
                                          "chdir .",
                                          "readlink mdev_type",
                                          "realpath .",
                                          "access . x",
                                          "ls power",
                                          "tree . 1",
                                          "read available_instances",
                                          "write create $",
                                          "mkdir new",
                                          "exists name"};
constexpr std::string_view kDescriptorUses[] = {"ftruncate @ RDONLY 0",
                                                "ftruncate @ WRONLY 7",
                                                "fallocate @ WRONLY",
                                                "fallocate @ RDONLY",
                                                "fsync @ RDONLY",
                                                "fdatasync @ RDONLY",
                                                "syncfs @ RDONLY",
                                                "fadvise @ RDONLY",
                                                "flock @ RDONLY",
                                                "fcntl_lock @ RDONLY",
                                                "fcntl_lock @ WRONLY",
                                                "lease @ RDONLY",
                                                "ioctl @ RDONLY FIGETBSZ",
                                                "ioctl @ RDONLY FIOQSIZE",
                                                "ioctl @ RDONLY TCGETS",
                                                "lseek @ RDONLY 0 END",
                                                "lseek @ RDONLY 5000 SET",
                                                "lseek @ RDONLY -1 SET",
                                                "lseek @ RDONLY 0 DATA",
                                                "lseek @ RDONLY 0 HOLE",
                                                "sendfileto @ RDONLY",
                                                "spliceto @ RDONLY",
                                                "cfr @ RDONLY",
                                                "epoll @ RDONLY",
                                                "poll @",
                                                "pollw @"};
// Only where what is above is part of the tree, too.
constexpr std::string_view kUpwards[] = {"hstatat @ ..", "hfchdir @", "holdat @up @ .. RDONLY|DIRECTORY",
                                         "hls @up"};
// @ is a path, % another, & a directory.
constexpr std::string_view kRefused[] = {
    "mkdir &/new",        "mkdir @",        "rmdir @",      "rmdir @",         "unlink @",
    "unlink @",           "rename @ &/new", "rename @ @",   "rename @ %",      "rename @ /tmp/new",
    "symlink /tmp &/new", "symlink /tmp @", "link @ &/new", "link @ /tmp/new", "mknod &/new f",
    "mknod &/new c",      "mknod &/new p",  "creat &/new",  "creat @",         "truncate @ 0",
    "truncate @ 10000",   "rename & %"};

std::string replaced(std::string text, char what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, 1, with);
  }
  return text;
}

// A `$` that stands for a UUID, not one that begins a name.
std::string with_uuid(std::string_view text, const std::string& uuid) {
  return replaced(std::string(text), '$', uuid);
}

}  // namespace

const std::vector<Generator::Choice>& Generator::choices() {
  static const std::vector<Choice> kChoices = {
      {16, &Generator::create},
      {3, &Generator::create_duplicate},
      {4, &Generator::create_badly},
      {1, &Generator::create_many},
      {2, &Generator::create_while_probe_fails},
      {11, &Generator::remove},
      {4, &Generator::remove_badly},
      {1, &Generator::remove_before_probe_has_ended},
      {1, &Generator::look_while_removing},
      {1, &Generator::unregister_while_creating},
      {10, &Generator::read},
      {8, &Generator::list},
      {9, &Generator::look},
      {4, &Generator::follow},
      {1, &Generator::grow},
      {4, &Generator::write_anything},
      {4, &Generator::write_uevent},
      {4, &Generator::write_power},
      {5, &Generator::bind},
      {11, &Generator::hold},
      {2, &Generator::hold_at},
      {24, &Generator::use_held},
      {2, &Generator::close_held},
      {3, &Generator::change_directory},
      {6, &Generator::use_directory},
      {6, &Generator::change_attributes},
      {5, &Generator::use_extended_attributes},
      {8, &Generator::be_refused},
      {6, &Generator::use_descriptor},
      {3, &Generator::change_modules},
      {3, &Generator::control},
      {4, &Generator::look_at_events},
      {1, &Generator::watch},
  };
  return kChoices;
}

std::string Generator::scenario(std::size_t operations) {
  begin();
  unsigned all = 0;
  for (const auto& choice : choices()) all += choice.weight;
  while (lines_ < operations) {
    auto ticket = random_.below(all);
    for (const auto& [weight, write] : choices()) {
      if (ticket < weight) {
        (this->*write)();
        break;
      }
      ticket -= weight;
    }
  }
  return std::move(text_);
}

void Generator::begin() {
  text_ = fmt::format("# made up: seed {}\n", seed_);
  // A working directory whose surroundings are the same everywhere.
  say("mkdir /tmp/here");
  say(fmt::format("mkdir {}", kHome));
  say(fmt::format("chdir {}", kHome));
  // What a kernel says once, about modules that are none of its own, is said before the scenario begins.
  for (const auto* line : {"insmod mdpy", "rmmod mdpy", "uevdrop", "dmesgdrop"}) say(line);
  for (const auto module : kModules) {
    if (random_.percent(60)) change_modules();
    if (random_.percent(50) && !tree_.loaded(module)) {
      say(fmt::format("insmod {}", module));
      tree_.load(module, 1, 0);
    }
  }
}

void Generator::say(const std::string& line) {
  text_ += line + '\n';
  ++lines_;
}

// Others than root see other answers.
void Generator::say_as_somebody(const std::string& operation) {
  say(random_.percent(12) ? fmt::format("as {} {}", random_.one_of(kUsers), operation) : operation);
}

std::string Generator::new_uuid() {
  if (!tree_.gone().empty() && random_.percent(20)) return random_.one_of(tree_.gone()).uuid;
  return fmt::format("${{U{}}}", ++last_uuid_);
}

// One with room, if there is one.
ImaginedParent* Generator::parent_to_fill() {
  ImaginedParent* parent = nullptr;
  for (int tries = 0; tries < 4; ++tries) {
    parent = tree_.some_parent(random_);
    if (parent == nullptr || !tree_.is_full(*parent)) return parent;
  }
  return parent;
}

void Generator::create() {
  auto* parent = parent_to_fill();
  if (parent == nullptr) return change_modules();
  const auto& type = random_.one_of(parent->types);
  const auto uuid = new_uuid();
  const auto file = tree_.to_type(random_, *parent, type) + "/create";
  const auto& way = random_.one_of(kWays);
  say_as_somebody(fmt::format("{} {} {}{}", way, file, uuid, random_.one_of(kThirtySeventh)));
  if (!tree_.is_full(*parent)) tree_.create(uuid, *parent, type);
  if (random_.percent(20))
    say(fmt::format("read {}/available_instances", tree_.to_type(random_, *parent, type)));
}

void Generator::create_duplicate() {
  const auto* parent = tree_.some_parent(random_);
  if (parent == nullptr || tree_.devices().empty()) return create();
  const auto type = tree_.to_type(random_, *parent, random_.one_of(parent->types));
  say(fmt::format("write {}/create {}", type, random_.one_of(tree_.devices()).uuid));
}

void Generator::create_badly() {
  const auto* parent = tree_.some_parent(random_);
  if (parent == nullptr) return;
  const auto file = tree_.to_type(random_, *parent, random_.one_of(parent->types)) + "/create";
  say(fmt::format("write {} {}", file,
                  with_uuid(random_.one_of(kBadUuids), fmt::format("${{U{}}}", last_uuid_ + 1000))));
}

// More than there is room for, mostly.
void Generator::create_many() {
  auto* parent = tree_.some_parent(random_);
  if (parent == nullptr) return;
  const auto& type = random_.one_of(parent->types);
  const auto file = tree_.to_type(random_, *parent, type) + "/create";
  const auto count = 2 + random_.below(8);
  for (std::size_t i = 0; i < count; ++i) {
    const auto uuid = fmt::format("${{U{}}}", ++last_uuid_);
    say(fmt::format("write {} {}", file, uuid));
    if (!tree_.is_full(*parent)) tree_.create(uuid, *parent, type);
  }
  say(fmt::format("read {}/mdev_supported_types/{}/available_instances", parent->path(),
                  random_.one_of(parent->types)));
}

// Of those that FUSE can carry.
void Generator::create_while_probe_fails() {
  static constexpr int kErrors[] = {1, 4, 5, 5, 6, 11, 12, 16, 17, 19, 19, 22, 28, 95, 110, 517, -5};
  const auto* parent = tree_.parent("slowmdev", random_.below(kMostParents));
  if (parent == nullptr) return create();
  const auto file =
      fmt::format("{}/mdev_supported_types/{}/create", parent->path(), random_.one_of(parent->types));
  say(fmt::format("write {}probe_errno {}", kParameters, random_.one_of(kErrors)));
  say(fmt::format("write {} {}", file, new_uuid()));
  say(fmt::format("write {}probe_errno 0", kParameters));
}

void Generator::remove() {
  const auto* device = tree_.some_device(random_);
  if (device == nullptr) return create();
  const auto uuid = device->uuid;
  const auto file = ImaginedTree::to(random_, *device) + "/remove";
  if (random_.percent(10)) {
    const auto offset = random_.below(10000);
    say_as_somebody(fmt::format("pwrite {} {} {}", file, offset, random_.one_of(kRemoves)));
  } else {
    const auto& way = random_.one_of(kWays);
    say_as_somebody(fmt::format("{} {} {}", way, file, random_.one_of(kRemoves)));
  }
  tree_.remove(uuid);
}

void Generator::remove_badly() {
  const auto* device = tree_.some_device(random_);
  if (device == nullptr) return;
  const auto directory = ImaginedTree::to(random_, *device);
  say(fmt::format("write {}/remove {}", directory, random_.one_of(kBadRemoves)));
}

// The file goes, the device stays.
void Generator::remove_before_probe_has_ended() {
  const auto* parent = tree_.parent("slowmdev", random_.below(kMostParents));
  if (parent == nullptr || !parent->registered || tree_.is_full(*parent)) return create();
  const auto& type = random_.one_of(parent->types);
  const auto uuid = fmt::format("${{U{}}}", ++last_uuid_);
  const auto types = parent->path() + "/mdev_supported_types/";
  const auto device = parent->path() + '/' + uuid;
  say(fmt::format("write {}probe_delay_ms 1500", kParameters));
  say("mark");
  say(fmt::format("spawn c write {}{}/create {}", types, type, uuid));
  // As soon as the bus has it, and its driver.
  say(fmt::format("waitfor /sys/bus/mdev/drivers/slow/{} 1400", uuid));
  if (random_.percent(50)) say(fmt::format("ls {}", device));
  if (random_.percent(50)) say(fmt::format("read {}{}/available_instances", types, type));
  if (random_.percent(50))
    say(fmt::format("write {}{}/create {}", types, random_.one_of(parent->types), uuid));
  if (random_.percent(30)) say(fmt::format("write {}/remove {}", device, random_.one_of(kBadRemoves)));
  if (random_.percent(60)) say(fmt::format("write {}/remove 1", device));
  if (random_.percent(30)) say(fmt::format("write {}/remove 1", device));
  say("wait c");
  say(fmt::format("write {}probe_delay_ms 0", kParameters));
  say(fmt::format("ls {}", device));
  tree_.create(uuid, *parent, type);
}

void Generator::look_while_removing() {
  const auto& devices = tree_.devices();
  const auto it = std::ranges::find_if(
      devices, [](const ImaginedDevice& device) { return device.module == "slowmdev" && device.bound; });
  if (it == devices.end()) return remove();
  const auto device = *it;
  const auto directory = device.parent + '/' + device.uuid;
  say(fmt::format("write {}remove_delay_ms 1500", kParameters));
  say("mark");
  say(fmt::format("spawn r write {}/remove 1", directory));
  say(fmt::format("waitfor !/sys/bus/mdev/drivers/slow/{} 1400", device.uuid));
  if (random_.percent(60)) say(fmt::format("exists /sys/bus/mdev/devices/{}", device.uuid));
  if (random_.percent(60))
    say(fmt::format("read {}/mdev_supported_types/{}/available_instances", device.parent, device.type));
  if (random_.percent(60))
    say(fmt::format("write {}/mdev_supported_types/{}/create {}", device.parent, device.type, device.uuid));
  say("wait r");
  say(fmt::format("write {}remove_delay_ms 0", kParameters));
  tree_.remove(device.uuid);
}

// The unregistration waits for the creation, and everybody else is turned away meanwhile.
void Generator::unregister_while_creating() {
  auto* parent = tree_.parent("slowmdev", 0);
  if (parent == nullptr || !parent->registered || tree_.is_full(*parent)) return control();
  const auto types = parent->path() + "/mdev_supported_types/";
  const auto uuid = fmt::format("${{U{}}}", ++last_uuid_);
  say(fmt::format("write {}probe_delay_ms 1500", kParameters));
  say("mark");
  say(fmt::format("spawn c write {}slow-a/create {}", types, uuid));
  say(fmt::format("waitfor /sys/bus/mdev/drivers/slow/{} 1400", uuid));
  say(fmt::format("spawn u write {} unregister 0", kControlFile));
  say("sleep 200");
  if (random_.percent(70)) say(fmt::format("write {}slow-b/create {}", types, uuid));
  if (random_.percent(70)) say(fmt::format("write {}slow-b/create ${{U{}}}", types, last_uuid_ + 1000));
  if (random_.percent(50)) say(fmt::format("ls {}", parent->path()));
  if (random_.percent(50)) say(fmt::format("write {}/{}/remove 1", parent->path(), uuid));
  say("wait c");
  say("wait u");
  say(fmt::format("write {}probe_delay_ms 0", kParameters));
  tree_.create(uuid, *parent, "slow-a");
  tree_.unregister(*parent);
}

void Generator::read() {
  const auto file = tree_.some_file(random_);
  switch (random_.below(6)) {
    case 0:
      return say_as_somebody(fmt::format("read {} {}", file, random_.below(4)));
    case 1: {
      const auto size = random_.below(6);
      return say_as_somebody(fmt::format("pread {} {} {}", file, size, random_.below(100)));
    }
    case 2:
      return say_as_somebody(fmt::format("open {} {}", file, random_.one_of(kOddFlags)));
    default:
      return say_as_somebody(fmt::format("read {}", file));
  }
}

void Generator::list() {
  const auto& operation = random_.one_of(kLists);
  say_as_somebody(fmt::format("{} {}", operation, tree_.some_directory(random_)));
}

void Generator::look() {
  const auto& operation = random_.one_of(kLooks);
  const auto path = tree_.some_path(random_);
  say_as_somebody(operation == "access" ? fmt::format("access {} {}", path, random_.one_of(kAccesses))
                                        : fmt::format("{} {}", operation, path));
}

void Generator::follow() {
  const auto link = random_.percent(80) ? tree_.some_link(random_) : tree_.some_path(random_);
  switch (random_.below(4)) {
    case 0:
      return say(fmt::format("realpath {}", link));
    case 1:
      return say(fmt::format("readlink {} {}", link, 1 + random_.below(30)));
    case 2:
      return say(fmt::format("sameino {} {}", link, tree_.some_path(random_)));
    default:
      return say(fmt::format("readlink {}", link));
  }
}

void Generator::grow() {
  if (random_.percent(20)) {
    const auto* parent = tree_.some_parent(random_);
    if (parent != nullptr) return say(fmt::format("tree {} 3", ImaginedTree::to_parent(random_, *parent)));
  }
  if (const auto* device = tree_.some_device(random_)) {
    say(fmt::format("tree {}/{} {}", device->parent, device->uuid, random_.below(3)));
  }
}

void Generator::write_anything() {
  const auto text = with_uuid(random_.one_of(kTexts), fmt::format("${{U{}}}", last_uuid_ + 2000));
  // Whatever it is, it may be a device's end or beginning: the imagination does not follow.
  const auto& way = random_.one_of(kWays);
  say_as_somebody(fmt::format("{} {} {}", way, tree_.some_path(random_), text));
}

void Generator::write_uevent() {
  const auto* device = tree_.some_device(random_);
  const auto* parent = tree_.some_parent(random_);
  const auto what = random_.below(10);
  const auto uuid = fmt::format("${{U{}}}", 1 + random_.below(9));
  auto file = std::string("/sys/bus/mdev/uevent");
  if (what == 1) file = "/sys/bus/mdev/drivers/slow/uevent";
  if (what == 2 && parent != nullptr) file = ImaginedTree::to_parent(random_, *parent) + "/uevent";
  if (what > 2 && device != nullptr) file = ImaginedTree::to(random_, *device) + "/uevent";
  say_as_somebody(fmt::format("write {} {}", file, with_uuid(random_.one_of(kUevents), uuid)));
}

void Generator::write_power() {
  static constexpr std::string_view kFiles[] = {"control", "control", "async", "autosuspend_delay_ms",
                                                "runtime_status"};
  const auto* device = tree_.some_device(random_);
  const auto* parent = tree_.some_parent(random_);
  std::string directory;
  if (parent != nullptr) directory = ImaginedTree::to_parent(random_, *parent);
  if (device != nullptr && (parent == nullptr || random_.percent(70)))
    directory = ImaginedTree::to(random_, *device);
  if (directory.empty()) return;
  const auto file = fmt::format("{}/power/{}", directory, random_.one_of(kFiles));
  say(fmt::format("write {} {}", file, random_.one_of(kPowers)));
  if (random_.percent(60)) say(fmt::format("read {}", file));
}

void Generator::bind() {
  static constexpr std::string_view kDrivers[] = {"mtty", "mdpy", "mbochs", "slow"};
  static constexpr std::string_view kEnds[] = {"", "", "\\n", "\\n\\n", "\\s", "x"};
  const auto* device = tree_.some_device(random_);
  if (device == nullptr) return create();
  const auto own = random_.percent(80) ? device->driver : std::string(random_.one_of(kDrivers));
  const auto name = device->uuid + std::string(random_.one_of(kEnds));
  switch (random_.below(6)) {
    case 0:
      return say(fmt::format("write /sys/bus/mdev/drivers/{}/bind {}", own, name));
    case 1:
      return say(fmt::format("write /sys/bus/mdev/drivers_probe {}", name));
    case 2:
      say(fmt::format("write /sys/bus/mdev/drivers_autoprobe {}", random_.one_of(kTexts)));
      return say("read /sys/bus/mdev/drivers_autoprobe");
    default:
      say(fmt::format("write /sys/bus/mdev/drivers/{}/unbind {}", own, name));
      if (own == device->driver) tree_.unbind(device->uuid);
      if (random_.percent(30)) say(fmt::format("ls {}/{}", device->parent, device->uuid));
  }
}

std::string Generator::hold_name() {
  auto name = fmt::format("h{}", ++last_hold_);
  held_.push_back(name);
  return name;
}

// Mostly of devices, which go away.
void Generator::hold() {
  if (held_.size() >= kMostHeld) return close_held();
  const auto* device = tree_.some_device(random_);
  const auto* parent = tree_.some_parent(random_);
  const auto what = random_.below(10);
  if (what < 2 && device != nullptr) {
    const auto name = hold_name();
    removes_[name] = device->uuid;
    return say(fmt::format("hold {} {}/remove WRONLY", name, ImaginedTree::to(random_, *device)));
  }
  if (what == 2 && device != nullptr) {
    const auto name = hold_name();
    inner_.insert(name);
    return say(fmt::format("hold {} {} RDONLY|DIRECTORY", name, ImaginedTree::to(random_, *device)));
  }
  if (what == 3 && parent != nullptr) {
    return say(fmt::format("hold {} {}/create WRONLY", hold_name(),
                           tree_.to_type(random_, *parent, random_.one_of(parent->types))));
  }
  if (what == 4)
    return say(fmt::format("hold {} {} RDONLY|DIRECTORY", hold_name(), tree_.some_directory(random_)));
  const auto path = tree_.some_path(random_);
  say_as_somebody(fmt::format("hold {} {} {}", hold_name(), path, random_.one_of(kOpenFlags)));
}

std::string Generator::some_held() {
  return random_.one_of(held_);
}

void Generator::hold_at() {
  static constexpr std::string_view kNames[] = {"uevent", ".",       "power",        "mdev_type",
                                                "create", "nothere", "power/control"};
  if (held_.empty() || held_.size() >= kMostHeld) return hold();
  const auto directory = some_held();
  const auto& name = random_.one_of(kNames);
  say(fmt::format("holdat {} {} {} {}", hold_name(), directory, name, random_.one_of(kOpenFlags)));
}

void Generator::use_held() {
  if (held_.empty()) return hold();
  const auto name = some_held();
  if (const auto it = removes_.find(name); it != removes_.end() && random_.percent(40)) {
    const auto& text = random_.one_of(kRemoves);
    say(random_.percent(80) ? fmt::format("hwrite {} {}", name, text)
                            : fmt::format("hpwrite {} 7 {}", name, text));
    tree_.remove(it->second);
    return;
  }
  if (inner_.contains(name) && random_.percent(30)) {
    return say(replaced(std::string(random_.one_of(kUpwards)), '@', name));
  }
  const auto uuid = fmt::format("${{U{}}}", last_uuid_ + 3000 + random_.below(3));
  say(with_uuid(replaced(std::string(random_.one_of(kHeldUses)), '@', name), uuid));
}

void Generator::close_held() {
  if (held_.empty()) return;
  const auto name = some_held();
  std::erase(held_, name);
  removes_.erase(name);
  inner_.erase(name);
  say(fmt::format("hclose {}", name));
}

// Not where `..` would be a directory that one of the kernels has more in.
void Generator::change_directory() {
  const auto* device = tree_.some_device(random_);
  const auto* parent = tree_.some_parent(random_);
  if (device != nullptr && random_.percent(60)) {
    say(fmt::format("chdir {}", ImaginedTree::to(random_, *device)));
    if (random_.percent(15)) say("chdir power");
  } else if (parent != nullptr && random_.percent(50)) {
    say(fmt::format("chdir {}", tree_.to_type(random_, *parent, random_.one_of(parent->types))));
    if (random_.percent(30)) say("chdir devices");
  } else {
    say(fmt::format("chdir {}", kHome));
  }
}

void Generator::use_directory() {
  if (random_.percent(40)) return say(random_.percent(50) ? "getcwd" : "chdirls");
  const auto uuid = fmt::format("${{U{}}}", last_uuid_ + 4000);
  say(with_uuid(random_.one_of(kRelative), uuid));
}

void Generator::change_attributes() {
  const auto path = tree_.some_path(random_);
  switch (random_.below(5)) {
    case 0: {
      const auto& user = random_.one_of(kUsers);
      say_as_somebody(fmt::format("chown {} {} {}", path, user, random_.one_of(kUsers)));
      break;
    }
    case 1:
      say_as_somebody(fmt::format("utimes {} 1000000", path));
      return say(fmt::format("statt {}", path));
    case 2:
      say(fmt::format("chmod {} 0666", path));
      break;
    default:
      say_as_somebody(fmt::format("chmod {} {}", path, random_.one_of(kModes)));
  }
  if (random_.percent(60)) say(fmt::format("stat {}", path));
}

void Generator::use_extended_attributes() {
  const auto path = tree_.some_path(random_);
  const auto& name = random_.one_of(kAttributes);
  say_as_somebody(fmt::format("setxattr {} {} {}", path, name, random_.one_of(kTexts).substr(0, 3)));
  if (random_.percent(50)) say(fmt::format("setxattr {} {} x", path, random_.one_of(kAttributes)));
  if (random_.percent(50)) say(fmt::format("getxattr {} {}", path, name));
  if (random_.percent(30)) say(fmt::format("removexattr {} {}", path, random_.one_of(kAttributes)));
  if (random_.percent(50)) say_as_somebody(fmt::format("listxattr {}", path));
}

void Generator::be_refused() {
  auto operation = std::string(random_.one_of(kRefused));
  operation = replaced(operation, '&', tree_.some_directory(random_));
  operation = replaced(operation, '%', tree_.some_path(random_));
  say_as_somebody(replaced(operation, '@', tree_.some_path(random_)));
}

void Generator::use_descriptor() {
  const auto path = tree_.some_path(random_);
  say_as_somebody(replaced(std::string(random_.one_of(kDescriptorUses)), '@', path));
}

void Generator::change_modules() {
  const auto module = std::string(random_.one_of(kModules));
  if (tree_.loaded(module) && random_.percent(60)) {
    say(fmt::format("rmmod {}", module));
    return tree_.unload(module);
  }
  std::string parameters;
  std::size_t parents = 1;
  std::size_t room = 0;
  const auto chance = random_.below(3);
  if (module == "slowmdev" && chance != 0) {
    parents = 1 + random_.below(kMostParents);
    room = 1 + random_.below(6);
    const bool vfio = random_.percent(30);
    parameters = fmt::format(" max_instances={} nparents={}{}{}", room, parents, vfio ? " use_vfio=1" : "",
                             random_.percent(40) ? " vendor_group=1" : "");
  } else if (module == "mdpy" && chance == 0) {
    room = 1 + random_.below(6);
    parameters = fmt::format(" count={}", room);
  } else if (module == "mbochs" && chance == 0) {
    parameters = fmt::format(" count={}", 3 + random_.below(100));
  }
  say(fmt::format("insmod {}{}", module, parameters));
  tree_.load(module, parents, room);
}

// Parents of slowmdev, while it is loaded.
void Generator::control() {
  const auto number = random_.below(kMostParents);
  auto* parent = tree_.parent("slowmdev", number);
  if (parent == nullptr) return change_modules();
  const auto obey = [&](std::string_view command, std::size_t n) {
    say(fmt::format("write {} {} {}", kControlFile, command, n));
  };
  if (!parent->registered) {
    switch (random_.below(4)) {
      case 0:
        return obey("unregister", number);
      case 1:
        obey("device_del", number);
        obey("register", number);
        return obey("device_add", number);
      default:
        obey("register", number);
        parent->registered = true;
    }
    return;
  }
  switch (random_.below(6)) {
    case 0:
      return obey("device_del", number);
    case 1:
      return obey("device_add", number);
    case 2:
      return obey("register_twice", number);
    case 3:
      return say(fmt::format("write {} bogus 0", kControlFile));
    default:
      obey("unregister", number);
      tree_.unregister(*parent);
      if (random_.percent(30)) obey("register_twins", number);
  }
}

void Generator::look_at_events() {
  static constexpr std::string_view kOperations[] = {"uev", "uevb", "dmesg", "dmesg", "uevdrop", "dmesgdrop"};
  say(std::string(random_.one_of(kOperations)));
}

// What is seen of an opening that truncates depends on the kernel in front of FUSE: nothing is read.
void Generator::watch() {
  say_as_somebody(fmt::format("inotify {}", tree_.some_path(random_)));
}

}  // namespace mdevfs::conformance

// SPDX-License-Identifier: Apache-2.0
//
// The command line: what was asked for, and one sentence where it cannot be.
//
// The program is also the mount helper: as `mount.mdevfs` (or anything else called mount.*) for mount(8),
// which looks for one by the filesystem's type, and as `mdevfs SOURCE DIR -o OPTIONS`, which is how
// mount.fuse3 calls it for the type fuse.mdevfs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "ages_command.h"
#include "capture/capture.h"
#include "cards_command.h"
#include "check_command.h"
#include "enter_command.h"
#include "kept_name.h"
#include "libvirt.h"
#include "model/build.h"
#include "mount_command.h"
#include "mount_options.h"
#include "outcome.h"
#include "process.h"
#include "run_command.h"
#include "udev.h"
#include "unit_command.h"

namespace mdevfs::cli {
namespace {

constexpr unsigned kMostPoll = 1'000'000;
constexpr const char* kSeeHelp = "see 'mdevfs --help'";

int usage_error(std::string_view sentence) {
  complain(sentence);
  return kExitUsage;
}

int fail(std::string_view sentence) {
  complain(sentence);
  return kExitFailure;
}

struct MountArguments {
  std::vector<std::string> plugins;
  std::vector<std::string> backends;
  std::vector<std::string> configs;
  std::optional<std::string> kernel;
  std::vector<std::string> options;
  std::string source = "mdevfs";
  std::string mountpoint;
  bool foreground = false;
  bool uevents = false;
  unsigned poll_us = fs::kDefaultPoll.count();
  bool cached = false;
  std::optional<std::string> log;
};

int do_mount(MountArguments arguments) {
  auto options = parse_mount_options(arguments.options);
  if (!options) return usage_error(options.error());
  arguments.backends.insert(arguments.backends.end(), options->backends.begin(), options->backends.end());
  arguments.plugins.insert(arguments.plugins.end(), options->plugins.begin(), options->plugins.end());
  if (auto loaded = load_plugins(arguments.plugins); !loaded) return fail(loaded.error());
  arguments.configs.insert(arguments.configs.end(), options->configs.begin(), options->configs.end());
  if (options->kernel) arguments.kernel = options->kernel;
  auto hardware = find_hardware(arguments.backends, arguments.configs, arguments.kernel);
  if (!hardware) return hardware.error();
  MountRequest request;
  request.hardware = std::move(*hardware);
  request.options = std::move(options->filesystem);
  request.source = options->source.empty() ? arguments.source : options->source;
  request.mountpoint = arguments.mountpoint;
  request.foreground = arguments.foreground;
  request.uevents = arguments.uevents;
  request.poll = std::chrono::microseconds(arguments.poll_us);
  request.cached = arguments.cached || options->cached;
  request.log = arguments.log;
  const auto mounted = mount_command(request);
  return mounted ? 0 : fail(mounted.error());
}

struct RunArguments {
  std::vector<std::string> plugins;
  std::vector<std::string> backends;
  std::vector<std::string> configs;
  std::optional<std::string> kernel;
  std::optional<std::string> mdevctl_directory;
  bool uevents = true;
  unsigned poll_us = fs::kDefaultPoll.count();
  bool cached = false;
  bool udev = false;
  bool libvirt = false;
  std::optional<std::string> udev_rules;
  std::optional<std::string> log;
  bool shell = false;
  std::optional<std::string> name;
  std::vector<std::string> command;
};

std::string not_a_name(const std::string& name) {
  return fmt::format("'{}' is no name for a run: letters, digits and ._- are, 64 at most", name);
}

Outcome<std::vector<Companion>> companions_of(const RunArguments& arguments) {
  std::vector<Companion> companions;
  if (arguments.udev || arguments.udev_rules || arguments.libvirt) {
    auto udev = udev_companion(arguments.udev_rules);
    if (!udev) return std::unexpected(udev.error());
    companions.push_back(std::move(*udev));
  }
  if (arguments.libvirt) {
    auto libvirt = libvirt_companion();
    if (!libvirt) return std::unexpected(libvirt.error());
    companions.push_back(std::move(*libvirt));
  }
  return companions;
}

int do_run(const RunArguments& arguments) {
  if (arguments.shell && !arguments.command.empty())
    return usage_error("either --shell or a command, not both");
  if ((arguments.udev || arguments.udev_rules || arguments.libvirt) && !arguments.uevents)
    return usage_error("--udev and --libvirt need the uevents that --no-uevents forbids");
  if (arguments.name && !is_name(*arguments.name)) return usage_error(not_a_name(*arguments.name));
  if (auto loaded = load_plugins(arguments.plugins); !loaded) return fail(loaded.error());
  auto hardware = find_hardware(arguments.backends, arguments.configs, arguments.kernel);
  if (!hardware) return hardware.error();
  auto companions = companions_of(arguments);
  if (!companions) return fail(companions.error());
  const auto status =
      run_command({std::move(*hardware), arguments.mdevctl_directory, arguments.uevents,
                   std::chrono::microseconds(arguments.poll_us), arguments.cached, arguments.log,
                   std::move(*companions), arguments.name.value_or(""), arguments.command});
  if (!status) return fail(status.error());
  end_like(*status);
}

int do_enter(std::vector<std::string> command) {
  if (command.empty()) return usage_error("enter what? see 'mdevfs enter --help'");
  EnterRequest request{command.front(), {command.begin() + 1, command.end()}};
  if (!request.command.empty() && request.command.front() == "--")
    request.command.erase(request.command.begin());
  if (!is_name(request.name)) return usage_error(not_a_name(request.name));
  return fail(enter_command(request).error());
}

int do_unit(Outcome<> (*command)(const UnitRequest&), const UnitRequest& request) {
  const auto done = command(request);
  return done ? 0 : fail(done.error());
}

void print_keys(std::string_view directory, std::span<const backends::Key> keys) {
  for (const backends::Key& key : keys) {
    const auto otherwise = key.otherwise == backends::kItemName ? "the item's name" : key.otherwise;
    fmt::print("    {:<32} {} ({})\n", fmt::format("{}{}", directory, key.name), key.summary,
               otherwise.empty() ? "empty" : otherwise);
  }
}

int list_backends(const std::vector<std::string>& plugins) {
  if (auto loaded = load_plugins(plugins); !loaded) return fail(loaded.error());
  for (const backends::Backend& backend : backends::all()) {
    fmt::print("{:<10} {}\n", backend.name, backend.summary);
    print_keys("", backend.keys);
    for (const backends::Group& group : backend.groups)
      print_keys(fmt::format("{}/NAME/", group.name), group.keys);
  }
  return 0;
}

int do_capture(const std::string& root) {
  const auto machine = capture::capture_machine(root);
  if (!machine) return fail(machine.error());
  const bool written = std::fwrite(machine->data(), 1, machine->size(), stdout) == machine->size();
  return written && std::fflush(stdout) == 0 ? 0
                                             : fail(fmt::format("cannot write to stdout: {}", error_text()));
}

// mount(8) gives "-o" and, where they were given to it, some of -s -n -v -f and -t TYPE.
int mount_helper(const std::vector<std::string>& arguments) {
  CLI::App app;
  MountArguments mount;
  bool ignored = false, fake = false;
  std::string type;
  app.add_option("source", mount.source)->required();
  app.add_option("directory", mount.mountpoint)->required();
  app.add_option("-o", mount.options)->allow_extra_args(false);
  app.add_flag("-s,-n,-v", ignored);
  app.add_flag("-f", fake);
  app.add_option("-t", type);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  return fake ? 0 : do_mount(std::move(mount));
}

bool is_subcommand(const CLI::App& app, const std::string& name) {
  return std::ranges::any_of(app.get_subcommands(nullptr),
                             [&](auto* known) { return known->check_name(name); });
}

bool called_as_mount_helper(std::string_view program, const std::vector<std::string>& arguments,
                            const CLI::App& app) {
  program.remove_prefix(program.rfind('/') + 1);  // npos + 1 is 0
  if (program.starts_with("mount.")) return true;
  return arguments.size() >= 4 && arguments[2] == "-o" && !arguments[0].starts_with('-') &&
         !is_subcommand(app, arguments[0]);
}

// Takes what follows the first "--" away: CLI11 has ideas of its own about it.
std::vector<std::string> split_rest(std::vector<std::string>& arguments) {
  const auto mark = std::ranges::find(arguments, "--");
  std::vector<std::string> rest(mark, arguments.end());
  arguments.erase(mark, arguments.end());
  return rest;
}

// The command is what CLI11 left over, up to the end. A left-over option before it is a wrong one of ours.
Outcome<std::vector<std::string>> command_of(const CLI::App& app, std::vector<std::string> rest) {
  std::vector<std::string> command = app.remaining();
  if (!command.empty() && command[0].starts_with('-')) {
    return failure("unknown option {0} of {1}; see 'mdevfs {1} --help'", command[0], app.get_name());
  }
  if (command.empty() && !rest.empty()) rest.erase(rest.begin());  // otherwise the "--" is the command's own
  command.insert(command.end(), rest.begin(), rest.end());
  return command;
}

template <typename Arguments>
void define_hardware(CLI::App& app, Arguments& arguments) {
  app.add_option("--backend", arguments.backends,
                 "hardware to emulate, may be repeated; without it and --config, all there is")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--config", arguments.configs, "the hardware that FILE describes; see mdevfs.toml(5)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--kernel", arguments.kernel, "the kernel to emulate, from 4.10 on; see mdevfs-ages(7)")
      ->type_name("VERSION");
}

template <typename Arguments>
void define_uevents_and_log(CLI::App& app, Arguments& arguments, const char* about_uevents) {
  app.add_flag("--uevents,!--no-uevents", arguments.uevents, about_uevents);
  app.add_option("--log", arguments.log, "append the emulated kernel's log to FILE; - is stderr")
      ->type_name("FILE");
}

template <typename Arguments>
void define_speed(CLI::App& app, Arguments& arguments) {
  app.add_option("--poll-us", arguments.poll_us,
                 "look so many microseconds for the next request before sleeping; 0: not at all")
      ->type_name("N")
      ->check(CLI::Range(0U, kMostPoll));
  app.add_flag("--cached", arguments.cached, "let the host's kernel keep texts and answer opens");
}

void define_plugin(CLI::App& app, std::vector<std::string>& plugins) {
  app.add_option("--plugin", plugins, "load the backend in FILE, a shared object, may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

void define_mount(CLI::App& app, MountArguments& arguments) {
  define_hardware(app, arguments);
  define_plugin(app, arguments.plugins);
  app.add_flag("-f,--foreground", arguments.foreground, "stay in the foreground");
  define_uevents_and_log(app, arguments, "send uevents to this network namespace; only its root may");
  define_speed(app, arguments);
  app.add_option("-o", arguments.options,
                 "mount options, backend=NAME, cached, config=FILE and plugin=FILE, separated by commas")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  app.add_option("MOUNTPOINT", arguments.mountpoint, "an existing directory")->required()->type_name("");
}

void define_run(CLI::App& app, RunArguments& arguments) {
  define_hardware(app, arguments);
  define_plugin(app, arguments.plugins);
  app.add_option("--mdevctl-dir", arguments.mdevctl_directory, "what the command sees at /etc/mdevctl.d")
      ->type_name("DIR");
  app.add_flag("--udev", arguments.udev, "start a systemd-udevd of the command's own");
  app.add_option("--udev-rules", arguments.udev_rules, "rules for it beside the host's; with it goes --udev")
      ->type_name("DIR");
  app.add_flag("--libvirt", arguments.libvirt, "start a libvirtd of the command's own; with it goes --udev");
  define_uevents_and_log(
      app, arguments,
      "send uevents to the command, in a network namespace without the host's network (the default)");
  define_speed(app, arguments);
  app.add_flag("--shell", arguments.shell, "run a shell: what it does without a command, too");
  app.add_option("--keep", arguments.name, "let others come in by 'mdevfs enter NAME'")->type_name("NAME");
  app.prefix_command();
  app.footer("What follows is the command: mdevfs run [OPTIONS] [--] COMMAND [ARGUMENT...]");
}

void define_unit(CLI::App& app, UnitRequest& request) {
  app.add_option("--sys", request.sys, "where the tree is mounted, instead of /sys")->type_name("DIR");
  app.add_option("NAME", request.name, "the item of kernel/config/mdevfs")->required()->type_name("");
}

int parse_and_do(std::vector<std::string> arguments, std::string_view program) {
  CLI::App app("Linux's mediated devices in sysfs, emulated in user space", "mdevfs");
  MountArguments mount;
  RunArguments run;
  UnitRequest unit;
  std::vector<std::string> plugins;
  app.set_version_flag("--version", "mdevfs " MDEVFS_VERSION);
  define_mount(*app.add_subcommand("mount", "mount the tree on a directory"), mount);
  CLI::App* const run_app = app.add_subcommand("run", "run a command that sees the tree at /sys");
  define_run(*run_app, run);
  CLI::App* const enter =
      app.add_subcommand("enter", "run a command, or a shell, in what run --keep has made");
  enter->prefix_command();
  enter->footer("What follows is the name and the command: mdevfs enter NAME [COMMAND [ARGUMENT...]]");
  define_plugin(*app.add_subcommand("backends", "list the hardware that there is, with its keys"), plugins);
  app.add_subcommand("ages", "list what differs between kernels");
  app.add_subcommand("cards", "list the makes of hardware that parents can be of");
  std::string machine;
  CLI::App* const check =
      app.add_subcommand("check", "say what is wrong with a machine file, if anything is");
  check->add_option("FILE", machine, "as for --config")->required()->type_name("");
  define_plugin(*check, plugins);
  std::string root = "/sys";
  app.add_subcommand("capture", "write a machine file of the hardware that a sysfs shows")
      ->add_option("--root", root, "where that sysfs is, instead of /sys")
      ->type_name("DIR");
  CLI::App* const load = app.add_subcommand("load", "add hardware to a mounted tree");
  define_unit(*load, unit);
  load->add_option("SETTING", unit.settings, "its keys, as 'mdevfs backends' lists them")
      ->type_name("KEY=VALUE");
  define_unit(*app.add_subcommand("unload", "take hardware away from a mounted tree"), unit);
  if (called_as_mount_helper(program, arguments, app)) return mount_helper(arguments);

  if (!arguments.empty() && !arguments[0].starts_with('-') && !is_subcommand(app, arguments[0])) {
    return usage_error(fmt::format("unknown subcommand '{}'; {}", arguments[0], kSeeHelp));
  }
  std::vector<std::string> rest = split_rest(arguments);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return usage_error(fmt::format("{}; {}", error.what(), kSeeHelp));
  }
  if (app.got_subcommand("mount")) return do_mount(std::move(mount));
  if (app.got_subcommand("backends")) return list_backends(plugins);
  if (app.got_subcommand("ages")) return ages_command();
  if (app.got_subcommand("cards")) return cards_command();
  if (app.got_subcommand("check")) {
    if (auto loaded = load_plugins(plugins); !loaded) return fail(loaded.error());
    return check_command(machine);
  }
  if (app.got_subcommand("capture")) return do_capture(root);
  if (app.got_subcommand("load")) return do_unit(load_unit, unit);
  if (app.got_subcommand("unload")) return do_unit(unload_unit, unit);
  const bool entering = app.got_subcommand("enter");
  if (!entering && !app.got_subcommand("run"))
    return usage_error(fmt::format("which subcommand? {}", kSeeHelp));
  auto command = command_of(entering ? *enter : *run_app, std::move(rest));
  if (!command) return usage_error(command.error());
  if (entering) return do_enter(std::move(*command));
  run.command = std::move(*command);
  return do_run(run);
}

}  // namespace
}  // namespace mdevfs::cli

int main(int argc, char** argv) {
  try {
    return mdevfs::cli::parse_and_do(std::vector<std::string>(argv + 1, argv + argc), argv[0]);
  } catch (const std::exception& error) {
    return mdevfs::cli::fail(error.what());
  }
}

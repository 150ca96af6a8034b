// SPDX-License-Identifier: Apache-2.0
//
// The scenario language on an ordinary directory: the format of every kind of outcome, and the words that
// belong to the scenario as a whole. What sysfs answers is the recordings' business, not this file's.
#include "scenario.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "catch.h"

using namespace mdevfs::conformance;

namespace {

class Playground {
 public:
  Playground() : path_(std::filesystem::temp_directory_path() / "scenario-XXXXXX") {
    std::string name = path_.string();
    path_ = ::mkdtemp(name.data());
    std::filesystem::create_directory(path_ / "d");
    std::ofstream(path_ / "d" / "name") << "Slow A\n";
    std::filesystem::create_symlink("name", path_ / "d" / "link");
  }
  ~Playground() { std::filesystem::remove_all(path_); }

  // The transcript of `text`, in which $D is this directory; in the transcript it is written D again.
  std::string play(const std::string& text) {
    PlainMachine machine;
    Context context{.machine = machine, .applets = "/bin"};
    std::string transcript;
    Scenario scenario(context, [&](std::string_view line) { transcript.append(line) += '\n'; });
    scenario.run("set D " + (path_ / "d").string() + "\n" + text);
    for (auto at = transcript.find(path_.string()); at != std::string::npos;
         at = transcript.find(path_.string())) {
      transcript.replace(at, path_.string().size(), "");
    }
    return transcript;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("comments and blank lines are copied, settings are not shown") {
  CHECK(Playground().play("# a remark\n\nset X 1\nmark\n#!nomdev\n") == "# a remark\n\n#!nomdev\n");
}

TEST_CASE("reading and writing") {
  CHECK(Playground().play("read $D/name\nread $D/name 3\npread $D/name 3 2\nread $D/nothere\nread $D\n"
                          "write $D/name\nwrite $D/name ab\\n\nwritet $D/name a b\nread $D/name\n"
                          "writev $D/name x y\\n\npwrite $D/name 1 z\nread $D/name\n") ==
        "read /d/name => ok 7 \"Slow A\\n\"\n"
        "read /d/name 3 => ok 3 \"Slo\"\n"
        "pread /d/name 3 2 => ok 2 \"w \"\n"
        "read /d/nothere => open: ENOENT\n"
        "read /d => read: EISDIR\n"
        "write /d/name => ok 0\n"
        "write /d/name ab\\n => ok 3\n"
        "writet /d/name a b => ok 3\n"
        "read /d/name => ok 3 \"a b\"\n"
        "writev /d/name x y\\n => ok 3\n"
        "pwrite /d/name 1 z => ok 1\n"
        "read /d/name => ok 3 \"xz\\n\"\n");
}

TEST_CASE("listings") {
  CHECK(Playground().play(
            "ls $D\nlsn $D\nlscount $D\nls $D/nothere\nls $D/name\nsameino $D/name $D/link\n"
            "inoreal $D\nreadlink $D/link 2\nreadlink $D/link\nreadlink $D/name\nexists $D/x\n") ==
        "ls /d => 2: link/lnk name/reg\n"
        "lsn /d => 2: link name\n"
        "lscount /d => ok 2\n"
        "ls /d/nothere => open: ENOENT\n"
        "ls /d/name => open: ENOTDIR\n"
        "sameino /d/name /d/link => other ino, same dev\n"
        "inoreal /d => 4 entries, 0 differ\n"
        "readlink /d/link 2 => ok 2 na\n"
        "readlink /d/link => ok 4 name\n"
        "readlink /d/name => readlink: EINVAL\n"
        "exists /d/x => ENOENT\n");
}

TEST_CASE("a tree is a block, as deep as asked") {
  CHECK(
      Playground().play("chmod $D/name 644\nchmod $D 755\ntree $D/name\ntree $D/nothere\ntree $D/link 1\n") ==
      "chmod /d/name 644 => ok\n"
      "chmod /d 755 => ok\n"
      "tree /d/name =>\n"
      "  /d/name reg 0644 nlink=1 size=7 \"Slow A\\n\"\n"
      "tree /d/nothere =>\n"
      "  /d/nothere lstat: ENOENT\n"
      "tree /d/link 1 =>\n"
      "  /d/link lnk 0777 nlink=1 size=4 -> name\n");
}

TEST_CASE("a directory is read on from where its descriptor stands") {
  CHECK(Playground().play("hold d $D RDONLY|DIRECTORY\nhls d\nhls d\nhseek d 0 SET\nhls d\nhclose d\nhls d\n"
                          "hclose d\nhold e $D WRONLY\n") ==
        "hold d /d RDONLY|DIRECTORY => ok\n"
        "hls d => 2: link/lnk name/reg\n"
        "hls d => 0 (dots missing):\n"
        "hseek d 0 SET => ok 0\n"
        "hls d => 2: link/lnk name/reg\n"
        "hclose d => ok\n"
        "hls d => getdents: EBADF\n"
        "hclose d => close: EBADF\n"
        "hold e /d WRONLY => open: EISDIR\n");
}

TEST_CASE("a held descriptor keeps its offset, an empty text is a word of its own") {
  CHECK(Playground().play(
            "hold f $D/name RDWR\nhread f 2\nhwrite f ab\nhwrite f \nhseek f 0 CUR\nhseek f -9 SET\n"
            "hpread f 0 9\nhpath f\nhreopen f RDONLY\nhioctl f\nhseek f 0 END\nhioctl f\n") ==
        "hold f /d/name RDWR => ok\n"
        "hread f 2 => ok 2 \"Sl\"\n"
        "hwrite f ab => ok 2\n"
        "hwrite f  => ok 0\n"
        "hseek f 0 CUR => ok 4\n"
        "hseek f -9 SET => lseek: EINVAL\n"
        "hpread f 0 9 => ok 7 \"Slab A\\n\"\n"
        "hpath f => /d/name\n"
        "hreopen f RDONLY => ok\n"
        "hioctl f => ok 3\n"
        "hseek f 0 END => ok 7\n"
        "hioctl f => ok 0\n");
}

TEST_CASE("for repeats with the number put in before variables are expanded") {
  CHECK(Playground().play("for 1 3 exists $D/$U@i@\n") ==
        "exists /d/9e3779b1-0000-4000-8000-000000000001 => ENOENT\n"
        "exists /d/3c6ef362-0000-4000-8000-000000000002 => ENOENT\n"
        "exists /d/daa66d13-0000-4000-8000-000000000003 => ENOENT\n");
}

// The times themselves are the machine's, which may have other things to do: here is what they cannot be
// below.
TEST_CASE("spawned operations run beside the scenario and are timed from the mark") {
  const auto text = Playground().play(
      "mark\nspawn a sleep 1000\nspawn b exists $D/x\nspawn c write $D/name x\ntime sleep 200\n"
      "running a\nrunning b\nwait b\nwaitall\nrunning a\nwait a\n");
  CHECK(std::regex_replace(text, std::regex("[0-9.]+s\\b"), "#") ==
        "spawn a: sleep 1000\n"
        "spawn b: exists /d/x\n"
        "spawn c: write /d/name x\n"
        "time sleep 200 => ok [#]\n"
        "running a => still running\n"
        "running b => ended\n"
        "wait b => ENOENT [from # to #]\n"
        "wait a => ok [from # to #]\n"
        "wait c => ok 1 [from # to #]\n"
        "running a => ended\n"
        "wait a => nothing of this name was spawned\n");
  const auto seconds = [&text](const std::string& before) {
    const auto at = text.find(before);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + before.size()));
  };
  CHECK(seconds("time sleep 200 => ok [") >= 0.2);
  const auto began = seconds("wait a => ok [from ");
  CHECK(seconds(fmt::format("wait a => ok [from {:.1f}s to ", began)) >= began + 0.9);  // two rounded numbers
}

TEST_CASE("the shell's output and status") {
  CHECK(Playground().play("sh true\nsh echo a; echo b >&2; exit 3\nsh for i in 1 2; do echo -n $i; done\n") ==
        "sh true => exit 0\n"
        "sh echo a; echo b >&2; exit 3 =>\n"
        "  a\n"
        "  b\n"
        "  exit 3\n"
        "sh for i in 1 2; do echo -n $i; done =>\n"
        "  12\n"
        "  exit 0\n");
}

TEST_CASE("watches tell what was done through the directory") {
  CHECK(Playground().play("inotify $D w\nread $D/name\ninread w\ninread w\ninotify $D/nothere\n") ==
        "inotify /d w => ok\n"
        "read /d/name => ok 7 \"Slow A\\n\"\n"
        "inread w => 0x20 name, 0x1 name, 0x10 name\n"
        "inread w => read: EAGAIN\n"
        "inotify /d/nothere => inotify_add_watch: ENOENT\n");
}

TEST_CASE("the working directory") {
  CHECK(Playground().play("chdir $D\ngetcwd\nchdirls\nread name\nchdir nothere\nchdir /\n") ==
        "chdir /d => ok\n"
        "getcwd => /d\n"
        "chdirls => 2: link/lnk name/reg\n"
        "read name => ok 7 \"Slow A\\n\"\n"
        "chdir nothere => chdir: ENOENT\n"
        "chdir / => ok\n");
}

TEST_CASE("a machine without modules, and words that are none") {
  CHECK(Playground().play("insmod mtty\nrmmod mtty\nuevb\ndmesg\nuevdrop\nfrobnicate $D\n") ==
        "insmod mtty => finit_module: ENOSYS\n"
        "rmmod mtty => delete_module: ENOENT\n"
        "uevb => not heard\n"
        "dmesg => not heard\n"
        "uevdrop => dropped\n"
        "frobnicate /d => no such operation: frobnicate\n");
}

TEST_CASE("as another user, with descriptors that are held") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can become another user");
    return;
  }
  CHECK(Playground().play(
            "chmod $D/.. 711\nchmod $D 711\nchmod $D/name 600\nas 65534 read $D/name\nas 65534 ls $D\n"
            "hold f $D/name RDONLY\nas 65534 hread f\nread $D/name\nas 65534 sh id -u\n") ==
        "chmod /d/.. 711 => ok\n"
        "chmod /d 711 => ok\n"
        "chmod /d/name 600 => ok\n"
        "as 65534 read /d/name => open: EACCES\n"
        "as 65534 ls /d => open: EACCES\n"
        "hold f /d/name RDONLY => ok\n"
        "as 65534 hread f => ok 7 \"Slow A\\n\"\n"
        "read /d/name => ok 7 \"Slow A\\n\"\n"
        "as 65534 sh id -u =>\n"
        "  65534\n"
        "  exit 0\n");
}

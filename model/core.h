// SPDX-License-Identifier: Apache-2.0
//
// The mdev core: drivers/vfio/mdev/mdev_core.c and the parts of the driver core that it leans on. It owns
// what there is (modules, classes, drivers, parent devices, registrations, devices), and every change goes
// through it.
//
// Errors are errnos, one by one with the functions. Locks: each function says what it may wait for; none is
// called with a lock of the model held.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus.h"
#include "device.h"
#include "device_class.h"
#include "driver.h"
#include "kernel_age.h"
#include "log.h"
#include "mdev_list.h"
#include "module.h"
#include "number_pool.h"
#include "parent.h"
#include "root.h"
#include "tree.h"
#include "uuid.h"

namespace mdevfs::model {

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Thread-safety: all functions from any thread.
class Core {
 public:
  // What is loaded from the beginning: mdev and vfio, and vfio_mdev where that is a module of its own.
  enum class Boot { all, without_vfio_mdev, bare };
  explicit Core(Owner owner = {}, Boot boot = Boot::all, KernelVersion kernel = kDefaultKernel);
  ~Core();  // unregisters and unloads everything
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  KernelVersion kernel() const { return kernel_; }
  const KernelAge& age() const { return age_; }
  Tree& tree() { return tree_; }
  Log& log() { return log_; }
  Root& root() { return *root_; }
  Module& mdev_module() { return *mdev_module_; }
  // The bus driver of every device on ages that have no others; null before it was loaded for the first time.
  Driver* vfio_mdev() { return vfio_mdev_.get(); }
  DeviceClass& vfio_class() { return *vfio_class_; }
  DeviceClass& vfio_dev_class() { return *vfio_dev_class_; }

  template <typename T, typename... Arguments>
  std::shared_ptr<T> make(Arguments&&... arguments) {
    auto object = std::make_shared<T>(*this, std::forward<Arguments>(arguments)...);
    tree_.registry().enroll(*object);
    return object;
  }

  // --- the kernel's own modules. EEXIST: it is loaded. EAGAIN: it is in use. ENOENT: it is not there, or
  // there is none of that name. vfio_mdev's load binds devices, its unloading unbinds them, waiting as unbind
  // does.

  Result<void> load_mdev();
  Result<void> load_vfio();
  Result<void> load_vfio_mdev();
  Result<void> unload_mdev();
  Result<void> unload_vfio();
  Result<void> unload_vfio_mdev();

  // --- what a backend's module brings, in the order of its init function; unload() is its exit function.

  // The kernel looks at a module before its parameters: of the first one from outside its own tree it says
  // once that it is tainted by it. load_module() does it too.
  void look_at_module(std::string_view name, std::string_view taint = ModuleInfo{}.taint);
  // EEXIST: a module of that name is there. ENOENT: mdev or vfio is not.
  Result<std::shared_ptr<Module>> load_module(ModuleInfo info);
  // A device number of the module's own until it is unloaded: its major.
  unsigned take_char_major(Module& module);
  // The end of its init function: now the module itself is announced.
  void module_loaded(Module& module);
  // Unregisters its parents (waiting as unregister_parent does) and takes everything of it away.
  void unload_module(Module& module);
  // What rmmod asks for first. True: nobody has a vfio descriptor of its devices open, and nobody can any
  // more.
  bool try_stop_module(Module& module) EXCLUDES(vfio_lock);
  std::shared_ptr<Module> find_module(std::string_view name);

  // EEXIST: there is a class of that name. ENODEV: the module is being unloaded; so with the next two.
  Result<std::shared_ptr<DeviceClass>> add_class(Module& module, std::string name);
  // EBUSY: there is a driver of that name.
  Result<void> add_driver(std::shared_ptr<Driver> driver);
  // EEXIST: the class has a device of that name. ENODEV: the module is being unloaded.
  Result<std::shared_ptr<HostDevice>> add_parent_device(Module& module,
                                                        std::shared_ptr<DeviceClass> device_class,
                                                        std::string name,
                                                        std::vector<HostAttribute> attributes = {});
  // Must not be registered.
  void remove_parent_device(HostDevice& device);

  // --- buses other than mdev's, their drivers and devices. Device and driver locks: a driver's probe and
  // remove are called with the device's `device_lock` held.

  // Where there is one of that name, that one.
  std::shared_ptr<Bus> add_bus(std::shared_ptr<Bus> bus);
  // Must have no devices and drivers.
  void remove_bus(Bus& bus);
  std::shared_ptr<Bus> find_bus(std::string_view name);
  // Probes the bus's devices that have no driver and match. EBUSY: the bus has a driver of that name. ENODEV:
  // its module is being unloaded. unload_module() removes a module's drivers.
  Result<void> add_bus_driver(std::shared_ptr<BusDriver> driver);
  // Probes them once more, when the driver has learned of others.
  void attach_driver_to_all(BusDriver& driver);
  // Unbinds its devices, waiting as unbind does. No effect where it is gone already.
  void remove_bus_driver(BusDriver& driver);
  // Adds the device, and binds it to the first driver that takes it. EEXIST: there is a device of that name
  // in its directory or on its bus. Without `probe` no driver is looked for until probe_host_device().
  Result<void> add_host_device(std::shared_ptr<HostDevice> device, bool probe = true);
  void probe_host_device(HostDevice& device);
  // Takes it away with all below it, waiting as unbind does.
  void remove_host_device(HostDevice& device);
  // Null: the bus has none of that name, which may have the newline of a text as written.
  std::shared_ptr<HostDevice> find_host_device(Bus& bus, std::string_view text) EXCLUDES(kernfs_rwsem);
  // A group of its own, for one or more devices (HostDevice::iommu_group); it goes with the last of them.
  std::shared_ptr<IommuGroup> add_iommu_group() EXCLUDES(mdev_list_lock);

  // A driver's files; text as written. ENODEV: no such device, or not one for this driver (bind), or not
  // bound to it (unbind). EBUSY: it is bound already. Otherwise what the driver's probe answers.
  Result<void> bind(BusDriver& driver, std::string_view text);
  Result<void> unbind(BusDriver& driver, std::string_view text);
  // ENODEV: no such device.
  Result<void> drivers_probe(Bus& bus, std::string_view text);

  // For a bus driver's probe and remove, of one that gives the whole device to vfio.
  void appear_driver_vfio(HostDevice& device);
  void vanish_driver_vfio(HostDevice& device);

  // --- mdev_register_parent, mdev_unregister_parent

  // ENOMEM (EEXIST on old ages): this device is registered already. EEXIST: two types of one name; nothing is
  // left of it.
  // A second parent of one name succeeds, without its link in class/mdev_bus.
  Result<std::shared_ptr<Parent>> register_parent(std::shared_ptr<HostDevice> device,
                                                  std::shared_ptr<Driver> driver,
                                                  std::vector<TypeInfo> types);
  // Waits for every create and remove in progress on the parent, then removes its devices in the order of
  // their creation. From its first moment on, creates and removes there fail with ENODEV.
  void unregister_parent(Parent& parent);

  bool is_registered(const HostDevice& device) EXCLUDES(mdev_list_lock);
  // The names of a module's parents that are registered, oldest first.
  std::vector<std::string> registered_parents(const Module& module) EXCLUDES(mdev_list_lock);

  // --- mdev_device_create, mdev_device_remove

  // EEXIST: the UUID is in use, anywhere. EUSERS: the core's count is used up. ENODEV: the parent is being
  // unregistered. Otherwise what the driver's probe answers. Waits for the probe.
  Result<void> create(Type& type, const Uuid& uuid);
  // EAGAIN: it is still being created. ENODEV: it is going already, or its parent is being unregistered.
  // EBUSY: the driver refuses. Waits for an unbind in progress and for the driver's remove.
  Result<void> remove(Device& device);

  // --- the bus's and drivers' files; text as written

  // ENODEV: no device of that name is bound to this driver. Waits for a probe in progress and the driver's
  // remove.
  Result<void> unbind(Driver& driver, std::string_view text);
  // ENODEV: no such device, or it has a driver, or the bus brings nothing together.
  Result<void> bind(Driver& driver, std::string_view text);
  // ENODEV: no such device. Binds it, where the bus does.
  Result<void> drivers_probe(std::string_view text);

  // --- vfio

  // An open descriptor of the device: a release of its driver (remove, unbind, unregister) waits until it is
  // closed, and a module with one cannot be unloaded. ENODEV: that release or unloading has begun.
  Result<void> vfio_open(Device& device) EXCLUDES(vfio_lock);
  void vfio_close(Device& device) EXCLUDES(vfio_lock);
  // Is such a release waiting? (The kernel calls vfio_device_ops' `request` then.)
  bool vfio_asked_back(const Device& device) EXCLUDES(vfio_lock);
  unsigned vfio_users_of(const Module& module) EXCLUDES(vfio_lock);

  // Lets time go by, for a delay that somebody has asked for.
  void pause(std::chrono::milliseconds time) EXCLUDES(vfio_lock);
  // The filesystem is going: nobody waits any more, neither for a delay nor for a user of a device.
  void end_waits() EXCLUDES(vfio_lock);

  // A store to the parent's `create` files may take long now, or no more.
  void create_files_changed(const HostDevice& device) EXCLUDES(mdev_list_lock);

  // A name without content in a directory of the root's ("", "class", "bus", "devices", "devices/virtual",
  // "kernel", "kernel/config", "kernel/debug", "module"), for a caller to bind something over. False, and
  // without effect, where the tree has an entry of its own.
  bool add_placeholder(std::string_view directory, std::string_view name, PlaceholderKind kind,
                       std::string_view target = {});

  std::size_t device_count() const EXCLUDES(mdev_list_lock);

 private:
  Result<std::shared_ptr<Device>> reserve(Type& type, const Uuid& uuid) EXCLUDES(mdev_list_lock);
  void release(Device& device) EXCLUDES(mdev_list_lock);
  Result<void> bring_up(Device& device);
  // EBUSY: the driver refuses, and is not forced.
  enum class Force { no, yes };
  Result<void> take_down(Device& device, Force force);  // both with the parent's unreg_sem held

  // The steps that these two are made of (mdev_core.cpp).
  struct Step;
  struct Order;
  const Order& order() const;
  Result<void> add_device(Device& device);
  Result<void> delete_device(Device& device, Force force);
  Result<void> ask_driver(Device& device);
  Result<void> tell_driver(Device& device, Force force);
  Result<void> attach_own_driver(Device& device);
  Result<void> link_type(Device& device);
  Result<void> unlink_type(Device& device, Force force);

  // A place of those that the core counts, or a driver that does not itself.
  bool take_place(Parent& parent) REQUIRES(mdev_list_lock);
  void give_back_place(Parent& parent) REQUIRES(mdev_list_lock);
  Errno errno_from_driver(Errno error) const;
  void show_mdev_bus();
  void bind_all_to_vfio_mdev();
  void print_probe_failure(std::string_view driver, std::string_view device, int error);
  Result<void> attach_driver(Device& device) EXCLUDES(device.device_lock);
  void attach_by_bus(Device& device);
  void release_driver(Device& device) EXCLUDES(device.device_lock);
  void appear_with_vfio(Device& device);
  void release_vfio(Device& device);
  void appear_vfio(Object& object, VfioDevice& vfio, Slot first, VfioParts parts);
  void vanish_vfio_device(Object& object, Slot first, VfioParts parts);
  void vanish_vfio_group(Object& object, VfioDevice& vfio, Slot first, VfioParts parts);
  Result<void> probe(Device& device);
  Result<void> call_remove(Device& device);
  void trace(const Device& device, std::string_view what);
  void wait_for_vfio_users(Device& device) EXCLUDES(vfio_lock);
  void take_away_bus_link(const HostDevice& device);
  std::shared_ptr<Device> find_device(std::string_view text);
  std::vector<std::shared_ptr<Device>> devices_on_bus() EXCLUDES(kernfs_rwsem);

  bool try_to_bind(HostDevice& device, BusDriver& driver) EXCLUDES(device.device_lock);
  void find_driver_for(HostDevice& device) EXCLUDES(device.device_lock);
  Result<void> bind_locked(HostDevice& device, BusDriver& driver) REQUIRES(device.device_lock);
  Result<void> call_bus_probe(HostDevice& device, BusDriver& driver) REQUIRES(device.device_lock);
  void release_bus_driver(HostDevice& device) REQUIRES(device.device_lock);
  void forget_bus_driver(HostDevice& device) REQUIRES(device.device_lock);
  void detach_bus_driver(BusDriver& driver);
  void leave_iommu_group(HostDevice& device);

  struct Loaded {
    std::shared_ptr<Module> module;
    std::vector<std::shared_ptr<DeviceClass>> classes = {};
    std::vector<std::shared_ptr<Driver>> drivers = {};
    std::vector<std::shared_ptr<BusDriver>> bus_drivers = {};
    std::vector<std::shared_ptr<HostDevice>> parent_devices = {};
    std::optional<unsigned> char_number = std::nullopt;  // its place among the majors
  };
  Loaded* loaded(const Module& module) REQUIRES(modules_lock_);
  bool mdev_is_used() const REQUIRES(modules_lock_);
  bool root_has(Slot directory, std::string_view name) const;
  void print_duplicate(std::string_view path);
  void print_failed_add(std::string_view name);

  const KernelVersion kernel_;
  const KernelAge age_;
  Log log_;
  Tree tree_;
  std::shared_ptr<Root> root_;
  std::shared_ptr<Module> mdev_module_;
  std::shared_ptr<Module> vfio_mdev_module_;
  std::shared_ptr<Driver> vfio_mdev_;  // made once, and shown while it is loaded
  std::shared_ptr<DeviceClass> vfio_class_;
  std::shared_ptr<DeviceClass> vfio_dev_class_;

  mutable Mutex modules_lock_{Rank::module};
  std::vector<Loaded> modules_ GUARDED_BY(modules_lock_);
  bool has_mdev_ GUARDED_BY(modules_lock_) = false;
  bool has_vfio_ GUARDED_BY(modules_lock_) = false;
  std::atomic<bool> has_vfio_mdev_{false};  // looked at under the device's lock where it matters
  bool tainted_ GUARDED_BY(modules_lock_) = false;
  NumberPool char_numbers_ GUARDED_BY(modules_lock_);
  std::vector<std::shared_ptr<Bus>> buses_ GUARDED_BY(modules_lock_);
  std::vector<std::shared_ptr<BusDriver>> builtin_drivers_ GUARDED_BY(modules_lock_);
  std::vector<std::shared_ptr<HostDevice>> host_devices_ GUARDED_BY(modules_lock_);
  std::vector<std::shared_ptr<Placeholder>> placeholders_ GUARDED_BY(modules_lock_);

  MdevList mdev_list_ GUARDED_BY(mdev_list_lock);
  std::vector<std::shared_ptr<Parent>> parents_ GUARDED_BY(mdev_list_lock);
  NumberPool iommu_numbers_ GUARDED_BY(mdev_list_lock);
  NumberPool vfio_numbers_ GUARDED_BY(mdev_list_lock);

  std::unordered_map<const Device*, unsigned> vfio_open_ GUARDED_BY(vfio_lock);
  bool ended_ GUARDED_BY(vfio_lock) = false;
  std::condition_variable_any vfio_changed_;  // with vfio_lock: a descriptor closed, or the end
};

}  // namespace mdevfs::model

// SPDX-License-Identifier: GPL-2.0-only
//
// slowmdev, the test driver of the recordings, for a real kernel: a mediated device driver without hardware whose
// probe and remove can take their time and fail, and whose parents come, go, are registered and unregistered by
// /sys/kernel/slowmdev/ctl. The sample drivers are too quick and too good-natured to show what happens in between.
// test/conformance/modules_by_files.cpp makes the same driver for the emulated kernel.
#define pr_fmt(fmt) "slow: " fmt

#include <linux/delay.h>
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/version.h>
#include <linux/vfio.h>

#define PLACES 16

static char *device_name = "slow";
module_param(device_name, charp, 0444);
static uint max_instances = 3;
module_param(max_instances, uint, 0444);
static uint nparents = 1;
module_param(nparents, uint, 0444);
static bool use_vfio;
module_param(use_vfio, bool, 0444);
static bool vendor_group;
module_param(vendor_group, bool, 0444);
static uint probe_delay_ms;
module_param(probe_delay_ms, uint, 0644);
static uint remove_delay_ms;
module_param(remove_delay_ms, uint, 0644);
static int probe_errno;
module_param(probe_errno, int, 0644);

// --- The driver.

struct slow_state {
	struct vfio_device vfio;
};

static int slow_open(struct vfio_device *vfio)
{
	return 0;
}

// The core calls it before it waits for whoever has the device open; there is nothing to tell them.
static void slow_request(struct vfio_device *vfio, unsigned int count)
{
}

static const struct vfio_device_ops slow_ops = {
	.name = "vfio-slow",
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	.release = vfio_free_device,
#endif
	.open_device = slow_open,
	.request = slow_request,
};

static int slow_register_vfio(struct device *dev)
{
	struct slow_state *state = vfio_alloc_device(slow_state, vfio, dev, &slow_ops);
	int error;

	if (IS_ERR(state))
		return PTR_ERR(state);
	error = vfio_register_emulated_iommu_dev(&state->vfio);
	if (error) {
		vfio_put_device(&state->vfio);
		return error;
	}
	dev_set_drvdata(dev, state);
	return 0;
}

// A negative probe_errno makes probe return a positive number.
static int slow_probe(struct mdev_device *mdev)
{
	struct device *dev = mdev_dev(mdev);
	int error;

	dev_info(dev, "slow: probe enter\n");
	msleep(probe_delay_ms);
	error = probe_errno;
	if (error) {
		dev_info(dev, "slow: probe fails %d\n", error);
		return -error;
	}
	dev_info(dev, "slow: probe leave\n");
	return use_vfio ? slow_register_vfio(dev) : 0;
}

static void slow_remove(struct mdev_device *mdev)
{
	struct device *dev = mdev_dev(mdev);
	struct slow_state *state = dev_get_drvdata(dev);

	if (state) {
		vfio_unregister_group_dev(&state->vfio);
		vfio_put_device(&state->vfio);
	}
	dev_info(dev, "slow: remove enter\n");
	msleep(remove_delay_ms);
	dev_info(dev, "slow: remove leave\n");
}

static ssize_t vendor_attr_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "slow vendor\n");
}
static DEVICE_ATTR_RO(vendor_attr);

static struct attribute *vendor_attributes[] = { &dev_attr_vendor_attr.attr, NULL };
static const struct attribute_group vendor = { .name = "vendor", .attrs = vendor_attributes };
static const struct attribute_group *vendor_groups[] = { &vendor, NULL };

static struct mdev_driver slow_driver = {
	.device_api = "slow-api",
	.driver = { .name = "slow", .owner = THIS_MODULE, .mod_name = KBUILD_MODNAME },
	.probe = slow_probe,
	.remove = slow_remove,
};

// --- Parents.

struct slow_parent {
	struct mdev_parent mdev;
	struct mdev_type types[2];
	struct mdev_type *pointers[2];
};

// Where a number of the control file leads. Guarded by `lock`, which is never held over a call of the core's.
struct place {
	struct device *device;
	struct slow_parent *parent;
};
static struct place places[PLACES];
static DEFINE_MUTEX(lock);
static struct class *slow_class;

static struct slow_parent *slow_register(struct device *device, const char *first, const char *first_name,
					 const char *second, const char *second_name)
{
	struct slow_parent *parent = kzalloc(sizeof(*parent), GFP_KERNEL);
	int error;

	if (!parent)
		return ERR_PTR(-ENOMEM);
	parent->types[0] = (struct mdev_type){ .sysfs_name = first, .pretty_name = first_name };
	parent->types[1] = (struct mdev_type){ .sysfs_name = second, .pretty_name = second_name };
	parent->pointers[0] = &parent->types[0];
	parent->pointers[1] = &parent->types[1];
	error = mdev_register_parent(&parent->mdev, device, &slow_driver, parent->pointers, 2);
	if (error) {
		kfree(parent);
		return ERR_PTR(error);
	}
	return parent;
}

static struct slow_parent *slow_register_usual(struct device *device)
{
	return slow_register(device, "a", "Slow A", "b", NULL);
}

static void slow_unregister(struct slow_parent *parent)
{
	mdev_unregister_parent(&parent->mdev);
	kfree(parent);
}

// --- The control file's commands.

static int add_device(uint n)
{
	struct device *device;

	if (places[n].device)
		return -EEXIST;
	if (n == 0)
		device = device_create(slow_class, NULL, 0, NULL, "%s", device_name);
	else
		device = device_create(slow_class, NULL, 0, NULL, "%s%u", device_name, n);
	if (IS_ERR(device))
		return PTR_ERR(device);
	places[n].device = device;
	return 0;
}

static int delete_device(uint n)
{
	if (!places[n].device || places[n].parent)
		return -EBUSY;
	device_unregister(places[n].device);
	places[n].device = NULL;
	return 0;
}

static int register_parent(uint n)
{
	struct slow_parent *parent;

	if (!places[n].device)
		return -ENODEV;
	if (places[n].parent)
		return -EBUSY;
	parent = slow_register_usual(places[n].device);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	places[n].parent = parent;
	return 0;
}

// The place is free before the waiting begins: other commands come through meanwhile.
static int unregister_parent(uint n)
{
	struct slow_parent *parent = places[n].parent;

	if (!parent)
		return -ENODEV;
	places[n].parent = NULL;
	mutex_unlock(&lock);
	slow_unregister(parent);
	mutex_lock(&lock);
	return 0;
}

static int register_twice(uint n)
{
	struct slow_parent *second;

	if (!places[n].parent)
		return -ENODEV;
	second = slow_register_usual(places[n].device);
	pr_info("second registration: %d\n", PTR_ERR_OR_ZERO(second));
	return PTR_ERR_OR_ZERO(second);
}

static int register_twins(uint n)
{
	struct slow_parent *twins;

	if (!places[n].device || places[n].parent)
		return -ENODEV;
	twins = slow_register(places[n].device, "twin", "One", "twin", "Other");
	pr_info("twin registration: %d\n", PTR_ERR_OR_ZERO(twins));
	return PTR_ERR_OR_ZERO(twins);
}

static int add_duplicate(const char *name)
{
	struct device *device = device_create(slow_class, NULL, 0, NULL, "%s", name);

	pr_info("dup device: %d\n", PTR_ERR_OR_ZERO(device));
	if (IS_ERR(device))
		return PTR_ERR(device);
	device_unregister(device);
	return 0;
}

struct command {
	const char *name;
	int (*run)(uint n);
};
static const struct command commands[] = {
	{ "register", register_parent },
	{ "unregister", unregister_parent },
	{ "device_add", add_device },
	{ "device_del", delete_device },
	{ "register_twice", register_twice },
	{ "register_twins", register_twins },
};

static int obey(const char *name, const char *argument)
{
	uint n;
	int i;
	int error;

	if (!strcmp(name, "dup"))
		return add_duplicate(argument);
	error = kstrtouint(argument, 10, &n);
	if (error || n >= PLACES)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		mutex_lock(&lock);
		error = commands[i].run(n);
		mutex_unlock(&lock);
		return error;
	}
	return -EINVAL;
}

static ssize_t ctl_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf, size_t count)
{
	char *text = kstrndup(buf, count, GFP_KERNEL);
	char *argument = text;
	char *name;
	int error;

	if (!text)
		return -ENOMEM;
	name = strsep(&argument, " ");
	error = argument ? obey(name, strim(argument)) : -EINVAL;
	kfree(text);
	return error ? error : count;
}

static struct kobj_attribute ctl = __ATTR_WO(ctl);
static struct kobject *folder;

// --- Loading.

static void forget_all(void)
{
	int n;

	for (n = 0; n < PLACES; n++) {
		if (places[n].parent)
			slow_unregister(places[n].parent);
		if (places[n].device)
			device_unregister(places[n].device);
	}
}

static int add_parents(void)
{
	uint n;
	int error;

	for (n = 0; n < nparents; n++) {
		error = add_device(n);
		if (!error)
			error = register_parent(n);
		if (error)
			return error;
	}
	return 0;
}

static int __init slow_init(void)
{
	int error;

	if (nparents > PLACES)
		return -EINVAL;
	slow_driver.max_instances = max_instances;
	if (vendor_group)
		slow_driver.driver.dev_groups = vendor_groups;
	error = mdev_register_driver(&slow_driver);
	if (error)
		return error;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	slow_class = class_create(THIS_MODULE, "slow");
#else
	slow_class = class_create("slow");
#endif
	if (IS_ERR(slow_class)) {
		error = PTR_ERR(slow_class);
		goto no_class;
	}
	error = add_parents();
	if (error)
		goto no_parents;
	folder = kobject_create_and_add("slowmdev", kernel_kobj);
	error = folder ? sysfs_create_file(folder, &ctl.attr) : -ENOMEM;
	if (!error)
		return 0;
	kobject_put(folder);
no_parents:
	forget_all();
	class_destroy(slow_class);
no_class:
	mdev_unregister_driver(&slow_driver);
	return error;
}

static void __exit slow_exit(void)
{
	kobject_put(folder);
	forget_all();
	mdev_unregister_driver(&slow_driver);
	class_destroy(slow_class);
}

module_init(slow_init);
module_exit(slow_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Mediated devices that take their time");

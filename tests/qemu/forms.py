#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""forms.py SWTIO GUEST strict|extensions [CASE]...: an unmodified QEMU with assigned devices of the software host. Run under
`swtio exec`; GUEST is the boot sector of guest.S. Each case prints a line of TAP."""
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

SWTIO, GUEST, EXTENSIONS = sys.argv[1], sys.argv[2], sys.argv[3] == "extensions"
PF, VF = "0000:01:00.0", "0000:01:00.1"
WORKED = "IBFC."
LIMIT = 60  # seconds for anything at all
SLTCTL, PCC_OFF, PIC_OFF = 0x18, 0x400, 0x300  # slot control, PCIe 6.x 7.5.3.10


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


class Qemu:
    """A QEMU with a QMP connection and a guest that reports on the debug port."""

    def __init__(self, *arguments, machine="pc", fds=()):
        self.said = tempfile.NamedTemporaryFile(prefix="swtio-qemu-")
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-m", "64", "-display", "none",
             "-nodefaults", "-no-user-config",
             "-drive", f"file={GUEST},format=raw,if=none,id=disk,snapshot=on",
             "-device", "ide-hd,drive=disk,bus=ide.0,bootindex=0",
             "-debugcon", f"file:{self.said.name}",
             "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control",
             *arguments],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            pass_fds=(theirs.fileno(), *fds))
        theirs.close()
        ours.settimeout(LIMIT)
        self.events = []
        self.qmp, self.socket = ours.makefile("rw"), ours
        if not self.read():
            raise Failed("QEMU ended: " + self.process.stderr.read().strip())
        self.execute("qmp_capabilities")

    def read(self):
        with contextlib.suppress(ConnectionResetError):
            line = self.qmp.readline()
            return json.loads(line) if line else None
        return None

    def execute(self, command, **arguments):
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while answer := self.read():
            if "error" in answer:
                raise Failed(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
            self.events.append(answer["event"])
        raise Failed(f"{command}: QEMU ended: " + self.process.stderr.read().strip())

    def event(self, name):
        while name not in self.events:
            answer = self.read()
            check(answer, f"no {name}: QEMU ended")
            self.events.append(answer["event"])
        self.events.remove(name)

    def monitor(self, line):
        return self.execute("human-monitor-command", **{"command-line": line})

    def word(self, address):
        return int(self.monitor(f"xp /1wx {address:#x}").split(":")[1], 16)

    def guest(self, times=1):
        """What the guest said, once it has ended so many times."""
        until = time.monotonic() + LIMIT
        while time.monotonic() < until and self.process.poll() is None:
            with open(self.said.name, encoding="ascii", errors="replace") as said:
                text = said.read()
            if len(re.findall(r"[.E]", text)) >= times:
                return text
            time.sleep(0.02)
        raise Failed(f"the guest said {text!r} only")

    def config(self, bus, device, register, value=None):
        """A 16-bit register of a function, through the ports, as a guest's kernel would."""
        self.monitor(f"o /w 0xcf8 {0x80000000 | bus << 16 | device << 11 | register & ~3:#x}")
        port = 0xcfc + (register & 2)
        if value is not None:
            self.monitor(f"o /h {port:#x} {value:#x}")
        return int(self.monitor(f"i /h {port:#x}").split("=")[1], 16)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()
        self.socket.close()
        self.said.close()


@contextlib.contextmanager
def qemu(*arguments, **options):
    one = Qemu(*arguments, **options)
    try:
        yield one
    finally:
        one.kill()


IOMMUFD = ("-object", "iommufd,id=iommufd0")


def assigned(host, more=""):
    return ("-device", f"vfio-pci,host={host},iommufd=iommufd0,id=dev-{host[-1]}{more}")


def bars(one):
    """BAR number to address, of the engine's physical function."""
    text = one.monitor("info pci")
    block = re.search(r"1d10:7e10(.*?)(?=\n +Bus |\Z)", text, re.S)
    check(block, "info pci has the device")
    return {int(n): int(a, 16) for n, a in
            re.findall(r"BAR(\d): 64 bit.* memory at (0x[0-9a-f]+)", block.group(1))}


# -- cases ------------------------------------------------------------------------------------------

def host_form():
    with qemu(*IOMMUFD, *assigned(PF)) as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")
        found = bars(one)
        check(set(found) == {0, 2}, f"BARs {found}")
        check(one.word(found[0]) == 0x54494f31, "the id register, by the monitor")
        check(one.word(found[2] + 0x1ff0) == 0x600df00d, "BAR2 has what the guest wrote")


def sysfsdev_form():
    path = f"/sys/bus/pci/devices/{PF}"
    with qemu(*IOMMUFD, "-device", f"vfio-pci,sysfsdev={path},iommufd=iommufd0") as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")


def fd_form():
    """The descriptors come over an exec; whoever opened them has closed them by then."""
    iommu, device = os.open("/dev/iommu", os.O_RDWR), os.open("/dev/vfio/devices/vfio0", os.O_RDWR)
    one = Qemu("-object", f"iommufd,id=iommufd0,fd={iommu}",
               "-device", f"vfio-pci,fd={device},iommufd=iommufd0", fds=(iommu, device))
    os.close(iommu)
    os.close(device)
    try:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")
    finally:
        one.kill()


def legacy_form():
    with qemu("-device", f"vfio-pci,host={PF}") as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")


def no_mmap():
    with qemu(*IOMMUFD, *assigned(PF, ",x-no-mmap=on")) as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")


def two_devices():
    """A physical function and its VF have one iommufd between them."""
    with qemu(*IOMMUFD, *assigned(PF), *assigned(VF)) as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")
        check("1d10:7e11" in one.monitor("info pci"), "the VF is there")


def capabilities():
    """What a guest sees of the configuration space, by ECAM. Linux's vfio-pci keeps DOE and IDE
    from its users; with extensions they see that both are there."""
    with qemu(*IOMMUFD, "-device", "pcie-root-port,id=slot1,chassis=1,addr=4",
              *assigned(PF, ",bus=slot1"), machine="q35") as one:
        one.guest()
        base = one.config(0, 0, 0x62) << 16 & 0xf0000000  # PCIEXBAR of the host bridge
        bus = one.config(0, 4, 0x18) >> 8
        function, found, at = base + (bus << 20), {}, 0x100
        check(one.word(function) == 0x7e101d10, "the function, by ECAM")
        while at:
            header = one.word(function + at)
            found[header & 0xffff] = at
            at = header >> 20 & 0xffc
        for number, what in ((0x2e, "DOE"), (0x30, "IDE")):
            check((number in found) == EXTENSIONS, f"{what} in {found}")
        at, plain = one.word(function + 0x34) & 0xfc, {}
        while at:
            header = one.word(function + at)
            plain[header & 0xff] = at
            at = header >> 8 & 0xfc
        check(0x10 in plain, "PCI Express")
        check(0x11 in plain and one.word(function + plain[0x11]) >> 16 & 0x7ff == 7, "MSI-X, 8 vectors")


def reset():
    with qemu(*IOMMUFD, *assigned(PF)) as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")
        for times in (2, 3):
            one.execute("system_reset")
            check(one.guest(times) == WORKED * times, f"after a reset: {one.guest(times)}")


def hot_plug():
    native = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
    with qemu(*IOMMUFD, *native, "-device", "pcie-root-port,id=slot1,chassis=1,addr=4",
              *assigned(PF, ",bus=slot1"), machine="q35") as one:
        check(one.guest() == WORKED, f"the guest said {one.guest()}")
        for times in (2, 3):
            one.execute("device_del", id="dev-0")
            at = one.config(0, 4, 0x34) & 0xff  # the port's PCI Express capability
            while one.config(0, 4, at) & 0xff != 0x10:
                at = one.config(0, 4, at) >> 8
            one.config(0, 4, at + SLTCTL, PCC_OFF | PIC_OFF)
            one.event("DEVICE_DELETED")
            check(free(), "an unplugged device can be had by others")
            one.execute("device_add", driver="vfio-pci", id="dev-0", host=PF, iommufd="iommufd0",
                        bus="slot1")
            one.execute("system_reset")  # the slot has power again
            check(one.guest(times) == WORKED * times, f"after plugging in: {one.guest(times)}")


def ended():
    """By itself, without a teardown call: everything is released."""
    with qemu(*IOMMUFD, *assigned(PF)) as one:
        one.guest()
        one.execute("quit")
        check(one.process.wait(LIMIT) == 0, "QEMU ended well")
    check(free(), "the device is free")


def killed():
    with qemu(*IOMMUFD, *assigned(PF), *assigned(VF)) as one:
        one.guest()
        check(not free(), "QEMU has the device")
    check(free(), "the device is free after a kill")


# -- the host between cases -------------------------------------------------------------------------

def free():
    """Can another have the device?"""
    iommu, device = os.open("/dev/iommu", os.O_RDWR), os.open("/dev/vfio/devices/vfio0", os.O_RDWR)
    bind = bytearray((16).to_bytes(4, "little") + bytes(4) + iommu.to_bytes(4, "little") + bytes(4))
    try:
        fcntl.ioctl(device, 0x3b76, bind)  # VFIO_DEVICE_BIND_IOMMUFD
        return True
    except OSError:
        return False
    finally:
        os.close(device)
        os.close(iommu)


def host_state():
    """The structure verified, and what there is of each kind of object."""
    supervisor = os.environ["SWTIO_IMAGE"].split("/")[2]
    said = subprocess.run([SWTIO, "inspect", "--verify", supervisor], capture_output=True, text=True,
                          check=False)
    check(said.returncode == 0, "inspect --verify: " + said.stdout + said.stderr)
    said = subprocess.run([SWTIO, "inspect", "--json", supervisor], capture_output=True, text=True,
                          check=True)
    return json.loads(said.stdout)["objects"]


CASES = [
    ("R6.1 host=: firmware boots, a guest reads, writes and has DMA done", host_form),
    ("R6.1 sysfsdev=", sysfsdev_form),
    ("R6.1 fd=, over an exec", fd_form),
    ("R6.1 the legacy container", legacy_form),
    ("R6.1 without mapping of BARs", no_mmap),
    ("R6.1 two devices in one machine", two_devices),
    ("R6.1 DOE, IDE and MSI-X capabilities reach the guest", capabilities),
    ("R6.1 system_reset", reset),
    ("R6.1 device_del and device_add", hot_plug),
    ("R6.1 quit releases all", ended),
    ("R6.1 so does SIGKILL", killed),
]


def main():
    bad = 0
    check(free(), "the host has a device to give")
    before = None  # after the first case: some tables are made when first wanted
    only = sys.argv[4:]
    print(f"1..{len(CASES)}")
    for number, (name, run) in enumerate(CASES, 1):
        if only and run.__name__ not in only:
            continue
        if run is legacy_form and not os.path.exists("/dev/vfio/vfio"):
            print(f"ok {number} - {name} # SKIP the host has no /dev/vfio/vfio", flush=True)
            continue
        try:
            run()
            check(free(), "the device is free again")
            after = host_state()
            before = before or after
            check(after == before, f"left behind: {set(after.items()) - set(before.items())}")
            print(f"ok {number} - {name}", flush=True)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            print(f"not ok {number} - {name}\n# {error}", flush=True)
            bad = 1
    return bad


sys.exit(main())

"""A throw-away SLURM cluster on 127.0.0.1: nodes with fake GPUs, enforced memory, no systemd, no cgroups.

    python tests/slurm/cluster.py up FOLDER      then `. FOLDER/env.sh`, and sinfo, sbatch, snakemake ...
    python tests/slurm/cluster.py down FOLDER    ends only the processes that `up` started

Works as any user where munged, slurmctld and slurmd are installed (Debian: slurm-wlm, munge; slurmdbd and
mariadb-server too with --accounting), and as root installs them where they are not. FOLDER's path should be
short: a socket lies in it.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from accounting import PROGRAMS as ACCOUNTING
from accounting import SETTINGS, start_database

CONF = """\
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldAddr=127.0.0.1
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/run/munge.sock
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# memory is looked at every 2 s, and a job over what it asked for is ended; no cgroups needed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
# a node that was set down stays down until it is told to resume
ReturnToService=1
# how long squeue remembers an ended job, seconds: the tests count them
MinJobAge=7200
KillWait=5
SlurmdTimeout=60
InactiveLimit=0
# 127.0.0.1 alone, not every interface
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
# believe CPUs and RealMemory below, also where the machine has less
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=3,bf_interval=3,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PriorityType=priority/basic
GresTypes=gpu
AccountingStorageType=accounting_storage/{storage}
{storage_settings}
{nodes}
PartitionName=cpu Nodes={names} Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes={names} MaxTime=UNLIMITED State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} CoresPerSocket={cpus} "
    "RealMemory={memory} Gres=gpu:fake:{gpus} State=UNKNOWN"
)


class NoCluster(RuntimeError):
    """Why no cluster can be started here."""


@dataclass
class Cluster:
    """`nodes` nodes called n1, n2, ...; memory in MB."""

    root: Path
    nodes: int = 2
    cpus: int = 4
    memory: int = 32000
    gpus: int = 1
    port: int = 16817  # and +2, +3, +101, +102, ...
    accounting: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to talk to this cluster."""
        path = f"{self.root}/bin:{os.environ['PATH']}:/usr/sbin"
        return {**os.environ, "SLURM_CONF": f"{self.root}/etc/slurm.conf", "PATH": path}

    def call(self, *command: str, timeout: float = 30) -> str:
        """Run a SLURM command; its output."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def up(self) -> Cluster:
        """Start it, and wait until every node is idle."""
        install(self.accounting)
        if (self.root / "pids").exists():
            raise NoCluster(f"{self.root}/pids exists: take that cluster down first")
        for name in ("etc", "bin", "run", "log", "state", "spool", "dev"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "pids").touch()
        try:
            self._configure()
            self._munge()
            if self.accounting:
                start_database(self)
            self.start("slurmctld", "slurmctld", "-D", "-c")
            for i in range(1, self.nodes + 1):
                self.start("slurmd", "slurmd", "-D", "-N", f"n{i}")
            states = ("sinfo", "-h", "-p", "cpu", "-N", "-o", "%t")
            self.wait("nodes", lambda: self.call(*states).split() == ["idle"] * self.nodes)
        except BaseException:
            logs = [p for p in (self.root / "log").iterdir() if p.stat().st_size]
            told = {p.name: p.read_text(errors="replace")[-500:] for p in logs}
            self.down()
            raise NoCluster(f"the cluster did not start: {told}") from None
        return self

    def down(self) -> None:
        """End its jobs, then the processes that `up` started: by pid, and only while the pid is still theirs."""
        pids = self.root / "pids"
        if not pids.exists():
            return
        with_jobs = ("squeue", "-h", "-o", "%A", "-t", "pending,running,completing,suspended")
        try:
            if jobs := self.call(*with_jobs).split():
                self.call("scancel", *jobs)
                running = ("squeue", "-h", "-t", "running,completing")
                self.wait("jobs to end", lambda: not self.call(*running).strip())
        except (RuntimeError, subprocess.TimeoutExpired):
            pass  # no controller any more: its jobs' steps end with their nodes
        started = [line.split() for line in pids.read_text().splitlines()]
        for sent in (signal.SIGTERM, signal.SIGKILL):
            alive = [one for name, pid in reversed(started) if (one := mine(name, int(pid)))]
            for one in alive:
                one.send_signal(sent)
            psutil.wait_procs(alive, timeout=10)
        pids.unlink()

    def start(self, name: str, *command: str) -> None:
        with open(self.root / "log" / f"{name}.out", "a") as out:
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        with open(self.root / "pids", "a") as pids:
            pids.write(f"{name} {process.pid}\n")

    def wait(self, what: str, ready: Callable[[], bool], seconds: float = 40) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if ready():
                    return
            except (RuntimeError, subprocess.TimeoutExpired):
                pass  # not up yet
            time.sleep(0.2)
        raise TimeoutError(f"waited {seconds:.0f} s for {what}")

    def _configure(self) -> None:
        root, host, user = self.root, socket.gethostname().split(".")[0], getpass.getuser()
        names = [f"n{i}" for i in range(1, self.nodes + 1)]
        nodes, gres = [], []
        for i, name in enumerate(names, 1):
            nodes.append(
                NODE.format(
                    name=name,
                    host=host,
                    port=self.port + 100 + i,
                    cpus=self.cpus,
                    memory=self.memory,
                    gpus=self.gpus,
                )
            )
            (root / "spool" / name).mkdir(exist_ok=True)
            (root / "dev" / name).mkdir(exist_ok=True)
            for gpu in range(self.gpus):  # a GPU is a device node; a link to one will do
                device = root / "dev" / name / f"nvidia{gpu}"
                if not device.is_symlink():
                    device.symlink_to("/dev/null")
            devices = f"{root}/dev/{name}/nvidia[0-{self.gpus - 1}]"
            gres.append(f"NodeName={name} Name=gpu Type=fake File={devices}")
        storage = SETTINGS.format(port=self.port + 2, root=root) if self.accounting else ""
        (root / "etc" / "slurm.conf").write_text(
            CONF.format(
                root=root,
                host=host,
                user=user,
                port=self.port,
                nodes="\n".join(nodes),
                names=",".join(names),
                storage="slurmdbd" if self.accounting else "none",
                storage_settings=storage,
            )
        )
        (root / "etc" / "gres.conf").write_text("\n".join(gres) + "\n")
        (root / "etc" / "cgroup.conf").write_text("CgroupAutomount=no\n")
        # inside a job, snakemake's plugin drops SLURM_CONF before it calls srun; PATH it keeps
        srun = root / "bin" / "srun"
        conf = f"{root}/etc/slurm.conf"
        srun.write_text(f'#!/bin/sh\nexport SLURM_CONF={conf}\nexec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        (root / "env.sh").write_text(f"export SLURM_CONF={conf}\nexport PATH={root}/bin:$PATH\n")

    def _munge(self) -> None:
        """Its own key and socket; nothing of /etc/munge is used."""
        key = self.root / "etc" / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        run = self.root / "run"
        run.chmod(0o755)
        self.start(
            "munged", "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={run}/munge.sock", f"--pid-file={run}/munged.pid",
            f"--log-file={self.root}/log/munged.log", f"--seed-file={run}/munged.seed",
        )  # fmt: skip
        self.wait("munge", lambda: bool(self.call("munge", f"--socket={run}/munge.sock", "-n")))


def free_ports(first: int = 16817) -> int:
    """A `port` from `first` on that no other cluster or program uses now."""
    for port in range(first, first + 20000, 200):
        try:
            for offset in (0, 2, 3, 101, 102, 103, 104):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port + offset))
            return port
        except OSError:
            continue
    raise NoCluster("no free ports")


def mine(name: str, pid: int) -> psutil.Process | None:
    """The process, if it is still the one that was started."""
    try:
        process = psutil.Process(pid)
        return process if process.name() == name else None
    except psutil.NoSuchProcess:
        return None


def install(accounting: bool = False) -> None:
    """Debian's packages, where the programs are missing; says what to do where that is not possible."""
    needed = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm"}
    if accounting:
        needed |= ACCOUNTING
    path = f"{os.environ['PATH']}:/usr/sbin"
    packages = sorted({p for tool, p in needed.items() if not shutil.which(tool, path=path)})
    if not packages:
        return
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    if os.geteuid() or not shutil.which("apt-get"):
        raise NoCluster(f"missing {' '.join(packages)}; as root: {' '.join(command)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for one in (["apt-get", "update", "-qq"], command):
        done = subprocess.run(one, env=quiet, capture_output=True, text=True)
        if done.returncode:
            raise NoCluster(f"{' '.join(one)} failed: {done.stderr[-500:]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=Cluster.nodes)
    parser.add_argument(
        "--accounting", action="store_true", help="slurmdbd too, so that sacct works"
    )
    args = parser.parse_args()
    cluster = Cluster(args.folder.resolve(), nodes=args.nodes, accounting=args.accounting)
    if args.what == "down":
        cluster.down()
    else:
        cluster.port = free_ports()
        cluster.up()
        print(f". {cluster.root}/env.sh", cluster.call("sinfo"), sep="\n")


if __name__ == "__main__":
    main()

"""A Slurm of one machine in one folder: munged, slurmctld and slurmd as children, with ports and a socket of their own."""
import os
import pathlib
import socket
import subprocess
import time

CONF = """
ClusterName=convoytest
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    holders = [socket.socket() for _ in range(count)]
    for holder in holders:
        holder.bind(("", 0))
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


class Slurm:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.daemons = []
        self.host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.conf = self.folder / "slurm.conf"
        self.conf.write_text(CONF.format(host=self.host, folder=self.folder, ports=free_ports(2)))
        self.environment = dict(os.environ, SLURM_CONF=str(self.conf))

    def start(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.folder.chmod(0o755)
        self.daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", f"--key-file={key}",
                    f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munge.seed",
                    f"--log-file={self.folder}/munged.log")
        self.wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        self.daemon("slurmctld", "-D", "-i")
        self.daemon("slurmd", "-D", "-N", self.host)
        self.wait(lambda: self.ask("sinfo", "-h", "-o", "%t") == "idle", "a node that is idle")

    def daemon(self, *command):
        log = open(self.folder / f"{command[0]}.out", "wb")
        # Ends with this process, however that ends.
        self.daemons.append(subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                             env=self.environment, start_new_session=True))
        log.close()

    def stop(self):
        if self.daemons:
            self.ask("scancel", "--user", "root")
            deadline = time.monotonic() + 40
            while self.ask("squeue", "-h") and time.monotonic() < deadline:
                time.sleep(0.2)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons = []

    def ask(self, *command):
        """Standard output of a Slurm command; "" where it failed."""
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else ""

    def jobs(self, number):
        """What Slurm knows of a job, or of every element of an array, by the names of `scontrol show job`."""
        lines = self.ask("scontrol", "--oneliner", "show", "job", number).splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def states(self, number):
        return [job.get("JobState") for job in self.jobs(number)]

    def restarts(self, number):
        return [job.get("Restarts") for job in self.jobs(number)]

    def logs(self):
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(self.folder.glob("*.out")))

    def wait(self, true, what, seconds=90):
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"no sign of {what} in {seconds} s\n{self.logs()}")
            time.sleep(0.1)

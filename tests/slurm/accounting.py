"""slurmdbd over a MariaDB of its own, on 127.0.0.1, so that sacct answers in a throw-away cluster."""

from __future__ import annotations

import getpass
import secrets
import shutil
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster import Cluster

PROGRAMS = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server"}  # and Debian's packages of them
SETTINGS = """\
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={root}/run/munge.sock
"""
DBD = """\
AuthType=auth/munge
AuthInfo=socket={root}/run/munge.sock
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
LogFile={root}/log/slurmdbd.log
PidFile={root}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""


def start_database(cluster: Cluster) -> None:
    """Start mariadbd and slurmdbd, and make this user known to them."""
    root, user, password = cluster.root, getpass.getuser(), secrets.token_hex(12)
    shutil.rmtree(root / "mysql", ignore_errors=True)
    common = ("--no-defaults", f"--user={user}", f"--datadir={root}/mysql")
    login = "--auth-root-authentication-method=normal"
    cluster.call("mariadb-install-db", *common, login, timeout=120)
    cluster.start(
        "mariadbd", "mariadbd", *common, f"--socket={root}/run/mysql.sock",
        f"--pid-file={root}/run/mariadbd.pid", "--bind-address=127.0.0.1",
        f"--port={cluster.port + 3}", "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
    )  # fmt: skip
    sql = ("mariadb", "--no-defaults", "-u", "root", "-S", f"{root}/run/mysql.sock", "-e")
    cluster.wait("the database", lambda: bool(cluster.call(*sql, "select 1")))
    cluster.call(*sql, "create database slurm_acct_db")
    for host in ("127.0.0.1", "localhost"):
        cluster.call(*sql, f"create user slurm@'{host}' identified by '{password}'")
        cluster.call(*sql, f"grant all on slurm_acct_db.* to slurm@'{host}'")
    conf = root / "etc" / "slurmdbd.conf"
    conf.touch(mode=0o600)
    conf.write_text(
        DBD.format(
            root=root,
            host=socket.gethostname().split(".")[0],
            user=user,
            password=password,
            port=cluster.port + 2,
            database_port=cluster.port + 3,
        )
    )
    cluster.start("slurmdbd", "slurmdbd", "-D")
    cluster.wait("slurmdbd", lambda: bool(cluster.call("sacctmgr", "-n", "list", "account")))
    cluster.call("sacctmgr", "-i", "add", "cluster", "local")
    cluster.call("sacctmgr", "-i", "add", "account", "lab", "Description=test", "Organization=test")
    known = cluster.call("sacctmgr", "-n", "-P", "list", "user", "format=user").split()
    if user in known:  # root always is
        cluster.call("sacctmgr", "-i", "modify", "user", user, "set", "DefaultAccount=lab")
    else:
        cluster.call("sacctmgr", "-i", "add", "user", user, "Account=lab")

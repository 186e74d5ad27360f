"""The host: files, disks, processes and the service manager of this machine.

disk_space.py      whether the disks of the storage and the Nix store have room for a build
file_locks.py      locks on files, shared by all processes of the machine
regular_files.py   opening regular files only
subprocesses.py    child processes, ended together with everything they started
sd_notify.py       systemd's notification protocol
forced_exit.py     ends the process when threads hang
"""

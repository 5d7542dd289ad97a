# SPDX-License-Identifier: Apache-2.0
"""The symbols that the product's objects need from outside: only io/kernel/ may touch sockets, files, time, randomness,
threads, signals, processes or memory mappings. What is found here could not be simulated."""
import os
import re
import subprocess

BANNED = set("""
    socket socketpair bind listen accept accept4 connect shutdown getsockopt setsockopt getsockname getpeername
    send sendto sendmsg sendmmsg sendfile recv recvfrom recvmsg recvmmsg splice tee vmsplice
    read pread preadv readv write pwrite pwritev writev close dup dup2 dup3 pipe pipe2 fcntl ioctl lseek fsync fdatasync
    poll ppoll select pselect eventfd signalfd syscall
    open openat open_memstream creat fopen freopen fdopen fclose fread fgets fgetc getc getchar getline getdelim fscanf
    scanf ungetc tmpfile mkstemp mkostemp mkdtemp stat lstat fstat fstatat statx access faccessat opendir fdopendir
    readdir scandir nftw glob unlink unlinkat rename renameat remove mkdir rmdir link symlink readlink realpath truncate
    ftruncate getcwd chdir chmod chown flock lockf
    clock clock_gettime clock_getres clock_nanosleep gettimeofday time times nanosleep sleep usleep alarm setitimer
    localtime localtime_r mktime timelocal tzset ftime timespec_get
    rand rand_r srand random random_r srandom initstate setstate drand48 erand48 lrand48 nrand48 mrand48 jrand48 srand48
    getrandom getentropy arc4random arc4random_buf arc4random_uniform
    signal sigaction sigprocmask sigwait sigwaitinfo sigtimedwait sigsuspend raise kill tgkill
    fork vfork clone execve execv execvp execl execlp posix_spawn posix_spawnp system popen pclose wait waitpid waitid
    getpid gettid getppid getuid geteuid setuid setgid gethostname uname sysconf getrlimit setrlimit prlimit getrusage
    prctl sched_yield sched_getaffinity sched_setaffinity
    mmap munmap mremap madvise mprotect mlock mlockall shm_open memfd_create
    getaddrinfo freeaddrinfo getnameinfo gethostbyname gethostbyaddr res_init res_query getifaddrs if_nametoindex
    call_once
""".split())
BANNED_PREFIXES = ("pthread_", "epoll_", "inotify_", "timerfd_", "io_uring_", "thrd_", "mtx_", "cnd_", "tss_", "sem_",
                   "fanotify_", "aio_", "mq_")
# How glibc names the checked, large-file and standard-conforming forms of the same calls.
FORM = re.compile(r"^_*(?:isoc\d+_)?(.*?)(?:_chk|_2|_alias)?$")


def plain(symbol):
    symbol = FORM.match(symbol.split("@")[0]).group(1)
    return symbol[:-2] if symbol.endswith("64") else symbol


def is_banned(symbol):
    symbol = plain(symbol)
    return symbol in BANNED or symbol.startswith(BANNED_PREFIXES)


def product_objects(build):
    """The objects of the rooms and of main.c; the tests' and samples' own are not the product."""
    for folder, _, files in os.walk(build):
        place = os.path.relpath(folder, build)
        if place.startswith("src/libweft_") or place.startswith("weft.p"):
            yield from (os.path.join(folder, file) for file in files if file.endswith(".o"))


def symbols_of(objects):
    """(object, symbol, whether it is defined there)"""
    listing = subprocess.run(["nm", "--print-file-name", *objects], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in listing.splitlines():
        place, _, rest = line.rpartition(":")
        fields = rest.split()
        if len(fields) >= 2:
            yield place, fields[-1], fields[-2] != "U" and fields[-2] != "w"


def check(build):
    objects = sorted(product_objects(build))
    if not objects:
        yield f"no objects of the product in {build}"
        return
    table = list(symbols_of(objects))
    # A name that the product defines itself is not the C library's.
    own = {symbol for _, symbol, defined in table if defined}
    for place, symbol, defined in table:
        if not defined and symbol not in own and is_banned(symbol) and "/libweft_io_kernel.a.p/" not in place:
            source = os.path.basename(place).removesuffix(".o").replace("_", "/", 1)
            yield f"{source}: needs {symbol}, which is for src/io/kernel/ alone ({place})"

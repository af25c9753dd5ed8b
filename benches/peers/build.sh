# Functions of the scripts, to be sourced in the project's folder. The peers are built into target/peers.
peers="$PWD/target/peers"
mkdir -p "$peers"
PATH="$PATH:/usr/sbin" # where Debian has nginx

# A program that is not installed is left out of the comparison, with a message.
has() {
    command -v "$1" >/dev/null || { echo "without $1, since it is not installed" >&2; return 1; }
}

# Builds one of the Rust servers: `rust NAME`.
rust() {
    cargo build --release --locked --manifest-path benches/peers/rust/Cargo.toml \
        --target-dir "$peers/rust" --bin "$1" >&2
}

# Compares the backends of a package's command with the servers of the arguments: `measure SERVICE PACKAGE PROGRAM
# ARGUMENT…`. With CHECK=1, which check.sh sets, it only checks that these servers answer correctly.
measure() {
    service="$1" program="${CARGO_TARGET_DIR:-target}/release/$3"
    cargo build --release --locked -p "$2" >&2
    shift 3
    if [ -n "${CHECK:-}" ]; then
        exec python3 benches/peers/check.py "$service" "$program" "$@"
    fi
    exec "$program" compare --output "target/peers/$service" --backends smol,tokio,threads,pool,epoll,uring "$@"
}

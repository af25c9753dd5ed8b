# What the scripts share. To be sourced from the project's folder. The peers are built into target/peers.
peers="$PWD/target/peers"
mkdir -p "$peers"
PATH="$PATH:/usr/sbin" # where Debian has nginx

# What is not installed is left out of the comparison, and said.
has() {
    command -v "$1" >/dev/null || { echo "without $1, since it is not installed" >&2; return 1; }
}

# Builds one of the Rust servers: `rust NAME`.
rust() {
    cargo build --release --locked --manifest-path benches/peers/rust/Cargo.toml \
        --target-dir "$peers/rust" --bin "$1" >&2
}

# Compares the backends of a package's command with the servers of the arguments: `measure SERVICE PACKAGE PROGRAM
# ARGUMENT…`. With CHECK=1, as check.sh sets it, it is only checked that these servers answer correctly.
measure() {
    service="$1" program="${CARGO_TARGET_DIR:-target}/release/$3"
    cargo build --release --locked -p "$2" >&2
    shift 3
    if [ -n "${CHECK:-}" ]; then
        exec python3 benches/peers/check.py "$service" "$program" "$@"
    fi
    exec "$program" compare --output "target/peers/$service" --backends smol,tokio,threads,pool,epoll,uring "$@"
}

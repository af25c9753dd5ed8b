# Builds the servers that anyloop is compared with, into target/peers. To be sourced from the project's folder.
peers="$PWD/target/peers"
mkdir -p "$peers"

# What is not installed is left out of the comparison, and said.
has() {
    command -v "$1" >/dev/null || { echo "without $1, since it is not installed" >&2; return 1; }
}

# Builds one of the Rust servers: `rust NAME`.
rust() {
    cargo build --release --locked --manifest-path benches/peers/rust/Cargo.toml \
        --target-dir "$peers/rust" --bin "$1" >&2
}

#!/bin/sh
# Installs jane-migrate into ~/.local, or into the folder in PREFIX: downloads the archive of a release for this machine, compares
# its checksum with the release's list, and unpacks it. VERSION=1.2.3 chooses a release other than the newest.
set -eu

# The body is a function, so that a truncated download runs nothing.
main() {
    prefix=${PREFIX:-$HOME/.local}
    releases=${JANE_MIGRATE_RELEASES:-https://github.com/@REPOSITORY@/releases}
    if [ -n "${VERSION:-}" ]; then from=$releases/download/v$VERSION; else from=$releases/latest/download; fi
    case $(uname -sm) in
        "Linux x86_64") target=x86_64-unknown-linux-musl ;;
        "Linux aarch64" | "Linux arm64") target=aarch64-unknown-linux-musl ;;
        "Darwin arm64") target=aarch64-apple-darwin ;;
        *) fail "there is no release for $(uname -sm); with Rust: cargo install --locked --git https://github.com/@REPOSITORY@ jane-migrate" ;;
    esac
    archive=jane-migrate-$target.tar.gz

    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    download "$archive"
    download SHA256SUMS
    cd "$folder"
    grep " $archive\$" SHA256SUMS > expected || fail "the release's SHA256SUMS does not name $archive"
    if command -v sha256sum > /dev/null; then check="sha256sum -c"; else check="shasum -a 256 -c"; fi
    $check expected > /dev/null 2>&1 || fail "$archive is not what SHA256SUMS says: nothing was installed; run this again"

    mkdir -p "$prefix"
    tar -xzf "$archive" --strip-components=1 -C "$prefix"
    echo "installed: $("$prefix/bin/jane-migrate" --version) in $prefix/bin"
    case ":$PATH:" in
        *":$prefix/bin:"*) echo "next: jane-migrate sandbox --tour" ;;
        *) echo "next: export PATH=\"$prefix/bin:\$PATH\" && jane-migrate sandbox --tour" ;;
    esac
}

download() {
    curl --fail --silent --show-error --location --output "$folder/$1" "$from/$1" || fail "failed to download $from/$1"
}

fail() {
    echo "error: $1" >&2
    exit 1
}

main

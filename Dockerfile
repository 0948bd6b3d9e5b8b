# The program with prebuilt handlers for this image's own architecture, for machines without Rust:
#
#     docker build -t jane-migrate .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" -v "$HOME/.aws:/home/jane/.aws:ro" -e AWS_PROFILE jane-migrate \
#         deploy --pool us-east-1_AbC123456 --yes --artifact /usr/share/jane-migrate/handler-jane.zip
#
# Whoever runs it owns the snapshot that the first deploy writes into /work. `[function] architecture` must be the image's: arm64 for
# an image built on arm64.
FROM rust:1.95.0-slim-bookworm AS build
# What Debian's mirrors keep of a package is its newest version: another one cannot be asked for.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /source
COPY . .
RUN cargo build --release --locked && cp target/release/jane-migrate /usr/local/bin/
RUN case "$(uname -m)" in aarch64) architecture=arm64 ;; *) architecture=x86_64 ;; esac \
    && mkdir /handlers \
    && for config in .github/handlers/*.toml; do \
        { cat "$config"; printf '\n[function]\narchitecture = "%s"\n' "$architecture"; } > /tmp/migrate.toml \
        && jane-migrate build --config /tmp/migrate.toml --output "/handlers/handler-$(basename "$config" .toml).zip" \
        || exit 1; \
    done

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /home/jane /work
COPY --from=build /usr/local/bin/jane-migrate /usr/local/bin/
COPY --from=build /handlers /usr/share/jane-migrate
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/jane-migrate/
# Whoever `--user` says finds what is mounted there.
ENV HOME=/home/jane
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["jane-migrate"]

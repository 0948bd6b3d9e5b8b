# The program with prebuilt handlers for this image's own architecture, for machines without Rust:
#
#     docker build -t jane-migrate .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" -v "$HOME/.aws:/home/jane/.aws:ro" -e AWS_PROFILE jane-migrate \
#         deploy --pool us-east-1_AbC123456 --yes
#
# The user that runs it owns the snapshot that the first deploy writes into /work. `[function] architecture` must be the image's: arm64
# for an image built on arm64.
FROM rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
# Debian's mirrors keep only the newest version of a package, so an older one cannot be installed.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked && cp target/dist/jane-migrate /usr/local/bin/
RUN case "$(uname -m)" in aarch64) architecture=arm64 ;; *) architecture=x86_64 ;; esac \
    && mkdir /handlers \
    && for config in .github/handlers/*.toml; do \
        { cat "$config"; printf '\n[function]\narchitecture = "%s"\n' "$architecture"; } > /tmp/migrate.toml \
        && name="/handlers/$(basename "$config" .toml)" \
        && jane-migrate build --json --config /tmp/migrate.toml --output "$name.zip" > "$name.json" \
        || exit 1; \
    done
RUN packaging/archive image /usr/local/bin/jane-migrate /handlers /packed \
    && mkdir /image \
    && tar -xzf /packed/jane-migrate-image.tar.gz --strip-components=1 -C /image

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /home/jane /work
COPY --from=build /image/ /usr/local/
# For any user of `--user`.
ENV HOME=/home/jane
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["jane-migrate"]

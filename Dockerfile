# One file for every program. `cargo xtask images` builds them all; by hand, one at a time:
#
#   docker build --build-arg PROGRAM=gateway --tag cloudjet/gateway .
#   docker build --build-arg PROGRAM=migrate --target tool --tag cloudjet/migrate .
#
# Everything is compiled once, in layers that all images share: dependencies until a manifest or Cargo.lock changes, then
# our own code. An image is one static program and the root certificates, with nothing else to run or to attack.
# docs/images.md says more.

ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG PACKAGES="-p auth-service -p flight-service -p booking-service -p admin-service -p payment-service -p gateway -p migrate -p bootpay -p journey"

# ── What decides about dependencies: the manifests, and a source file of no content for each target they name. ──────
# COPY --from is cached by content, so the next stage is built anew only if this one's outcome differs.
FROM ${RUST_IMAGE} AS manifests
WORKDIR /cloudjet
COPY . .
RUN find crates services -type f ! -name Cargo.toml ! -name '*.rs' -delete \
 && find crates services -type f -name '*.rs' \
      ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -path '*/src/bin/*' ! -path '*/tests/*.rs' ! -name build.rs -delete \
 && find crates services -type f -name '*.rs' | while read -r file; do echo 'fn main() {}' > "$file"; done \
 && mkdir /manifests \
 && cp -r Cargo.toml Cargo.lock .cargo crates services /manifests/

# ── Dependencies. ─────────────────────────────────────────────────────────────────────────────────────────────────────
FROM ${RUST_IMAGE} AS dependencies
WORKDIR /cloudjet
# Static, so that nothing of a system is needed where it runs; and the same wherever it was built. RUSTFLAGS set aside
# those of .cargo/config.toml, whose packing of relocations is repeated here. A target is named so that they are for the
# programs only, and not for macros, which the compiler must be able to load.
ENV RUSTFLAGS="-Ctarget-feature=+crt-static -Clink-arg=-Wl,-z,pack-relative-relocs --remap-path-prefix=/cloudjet=. --remap-path-prefix=/usr/local/cargo=cargo" \
    CARGO_INCREMENTAL=0 \
    SQLX_OFFLINE=true
ARG PACKAGES
COPY --from=manifests /manifests .
RUN cargo build --release --locked --bins ${PACKAGES} --target "$(rustc -vV | sed -n 's/^host: //p')"

# ── Our programs, all of them, each as the files of its image. ───────────────────────────────────────────────────────
FROM dependencies AS programs
ARG PACKAGES
COPY . .
# Sources keep their age from the checkout, which may be more than that of the empty ones compiled above.
RUN find crates services -name '*.rs' -exec touch {} + \
 && cargo build --release --locked --bins ${PACKAGES} --target "$(rustc -vV | sed -n 's/^host: //p')"
# Files of an image are of no age, so that the same program is the same image whenever it was built.
RUN for program in $(find target/*/release -maxdepth 1 -type f -executable); do \
      image="/images/$(basename "$program")" \
      && install -D "$program" "$image/cloudjet" \
      && install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/ca-certificates.crt" || exit 1; \
    done \
 && find /images -exec touch --no-dereference --date=@0 {} +

# ── An image: a program that comes to its end by itself. ──────────────────────────────────────────────────────────────
FROM scratch AS tool
ARG PROGRAM
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="cloudjet/${PROGRAM}" \
      org.opencontainers.image.description="CloudJet, an airline reservation backend: ${PROGRAM}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="MIT"
COPY --from=programs /images/${PROGRAM}/ /
USER 65532:65532
ENTRYPOINT ["/cloudjet"]

# ── An image: a service, which can be asked whether it is ready. ──────────────────────────────────────────────────────
FROM tool AS service
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/cloudjet", "--probe"]

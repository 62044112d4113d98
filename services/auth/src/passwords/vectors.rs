//! Stored passwords as the original left them, all but the refused ones of [`PASSWORD`]: contract §3, whose every
//! line was checked against the original.

/// The password behind each accepted vector.
pub(crate) const PASSWORD: &str = "Passw0rd!";

const SCRYPT: &str = "666eb928b4f6421cdbf78453c03141639b3fb878bae8b2b244dfdad7e07c3f12841f7b8f3a8490bbc72e83c056f076661e5892f97a24bc594f06cd9debb4faa7";
const PBKDF2: &str = "5edd5133ce8e3ec85e0380c37a5e4672914a42448de93de9a0b77d305b49ad7f";

/// Each accepted format, by name.
pub(crate) fn accepted() -> Vec<(&'static str, String)> {
    let fixed = [
        (
            "scrypt n=16384",
            "scrypt:16384:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31d20c25e1fd12fedab75019777ce1e7b4e6b20073ad37c01ae5f3eee92b6aa4dfe04f4c62f9945efbc109b8de350a51d0",
        ),
        (
            "pbkdf2 260000",
            "pbkdf2:sha256:260000$SaltSalt12345678$c66f2cccb2fe13eee32a23fae2fbac688ba9a698ecff7a9ea76a337f8788b047",
        ),
        (
            "pbkdf2 sha512",
            "pbkdf2:sha512:1000$SaltSalt12345678$d4bb78550070da079796bac6976529c92a519c9a17d94e3d5c69782eead9092929558e03a8d48777598b187cac54db8f4cef54e2e5b1d11fcdeccf8baf3fa77f",
        ),
        ("pbkdf2 sha1", "pbkdf2:sha1:1000$SaltSalt12345678$7e55badc5169574b337fc81f0c78bf38bd6f83b3"),
        ("hmac md5", "md5$SaltSalt12345678$f3191a8cc1bc4fc46fc6714feb3d178c"),
        ("hmac sha1", "sha1$SaltSalt12345678$99ae9db6e20fdcfea4e99de9e5a754c7307f917f"),
        ("hmac sha256", "sha256$SaltSalt12345678$1f64d27392e7fb4a0d0ddc05af79a45cf31c05525ac8729c9e41ae2159933a13"),
        (
            "hmac sha512",
            "sha512$SaltSalt12345678$30306bda24c730e21ac1a72b8cddfa672dd8fcbb3676ffe6e41ebfb2ff7f09e2fb84f9ab0f5e505a5fe3fc4340519da29f609b0b5b957b8930c6ae2611fc0e0d",
        ),
        ("plain sha256", "e66860546f18cdbbcd86b35e18b525bffc67f772c650cedfe3ff7a0026fa1dee"),
        (
            "salted pbkdf2",
            "0123456789abcdef0123456789abcdefb8573107c7d5105e2ba1893fe3902e201fc4ed867889de034f848168dc301135",
        ),
        (
            "salted pbkdf2, salt not hex",
            "GhIjKlMnOpQrStUvWxYz0123456789-_33891d690307e49a6f4c12565c098871d57b21ae8ba1d93d3e358ec1acc420fb",
        ),
    ];
    let mut vectors: Vec<_> = fixed.into_iter().map(|(name, stored)| (name, stored.to_owned())).collect();
    vectors.extend([
        ("scrypt", format!("scrypt:32768:8:1$SaltSalt12345678${SCRYPT}")),
        ("scrypt bare", format!("scrypt$SaltSalt12345678${SCRYPT}")),
        ("pbkdf2", format!("pbkdf2:sha256:600000$SaltSalt12345678${PBKDF2}")),
        ("pbkdf2 iterations implied", format!("pbkdf2:sha256$SaltSalt12345678${PBKDF2}")),
        ("pbkdf2 bare", format!("pbkdf2$SaltSalt12345678${PBKDF2}")),
    ]);
    vectors
}

/// What is stored in some rows and opens for nobody: plain text, the `plain$` format, formats of others, nonsense,
/// and formats that ask for more than a log-in may cost.
pub(crate) const REFUSED: &[&str] = &[
    "",
    "!",
    "$",
    "$$",
    "::$$",
    "Passw0rd!",
    "admin123",
    "plain$$Passw0rd!",
    "plain$salt$Passw0rd!",
    "plain$a:b$Passw0rd!",
    "$2b$12$abcdefghijklmnopqrstuuJ5Zqb8vS6zZQ3m9a0tq7yQ1n0iW3y8K",
    "$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A",
    "$argon2id$v=19$m=4294967295,t=4294967295,p=1$c29tZXNhbHRzb21lc2FsdA$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A",
    // Upper-case hex never matches.
    "E66860546F18CDBBCD86B35E18B525BFFC67F772C650CEDFE3FF7A0026FA1DEE",
    "md5$SaltSalt12345678$F3191A8CC1BC4FC46FC6714FEB3D178C",
    // A part is missing, or cut.
    "md5$SaltSalt12345678",
    "md5$SaltSalt12345678$",
    "md5$SaltSalt12345678$f3191a8cc1bc4fc46fc6714feb3d178",
    "md5$SaltSalt12345678$f3191a8cc1bc4fc46fc6714feb3d178c$",
    "crc32$SaltSalt12345678$f3191a8cc1bc4fc46fc6714feb3d178c",
    "pbkdf2:sha1:1000:1$SaltSalt12345678$7e55badc5169574b337fc81f0c78bf38bd6f83b3",
    "pbkdf2:sha1:0$SaltSalt12345678$7e55badc5169574b337fc81f0c78bf38bd6f83b3",
    "pbkdf2:sha1:-1$SaltSalt12345678$7e55badc5169574b337fc81f0c78bf38bd6f83b3",
    "pbkdf2:sha1:4294967295$SaltSalt12345678$7e55badc5169574b337fc81f0c78bf38bd6f83b3",
    "scrypt:16384:8$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:0:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:1:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:16383:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:16384:0:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:16384:8:0$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:1073741824:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:2:4294967295:4294967295$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
    "scrypt:18446744073709551616:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31",
];

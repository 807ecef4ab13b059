internal import Crypto
package import NIOCore

/// Issues nonces and recognises its own without storing them: each carries its time and a keyed hash over it, so a flood of
/// challenges costs no memory.
///
/// A nonce is 32 hex digits: 8 of seconds, 8 of chance, 16 of HMAC. Older firmware has no room for more.
package struct DigestNonces: Sendable {
    package enum Verdict: Equatable, Sendable {
        case valid
        /// Ours, but older than the lifetime: challenge anew with `stale=true`.
        case stale
        /// Not one of ours (a restart of this process, or invented): challenge anew with `stale=true`.
        case unknown
    }

    private let key: SymmetricKey
    private let lifetimeSeconds: UInt32

    /// - Parameter secret: at least 16 random bytes; two processes with one secret accept each other's nonces.
    package init(secret: [UInt8], lifetime: TimeAmount = .minutes(5)) {
        key = SymmetricKey(data: secret)
        lifetimeSeconds = UInt32(clamping: lifetime.nanoseconds / 1_000_000_000)
    }

    /// A new nonce; `salt` is a random number.
    package func issue(now: NIODeadline, salt: UInt32) -> String {
        let text = Self.digits(Self.seconds(now)) + Self.digits(salt)
        return text + code(of: text)
    }

    package func check(_ nonce: String, now: NIODeadline) -> Verdict {
        guard nonce.utf8.count == 32 else { return .unknown }
        let text = String(nonce.prefix(16))
        guard text.utf8.count == 16,
            DigestText.isEqualInConstantTime(code(of: text), String(nonce.dropFirst(16))),
            let issued = UInt32(text.prefix(8), radix: 16)
        else { return .unknown }
        return Self.seconds(now) &- issued <= lifetimeSeconds ? .valid : .stale
    }

    private func code(of text: String) -> String {
        let code = HMAC<Insecure.MD5>.authenticationCode(for: Array(text.utf8), using: key)
        return DigestText.hex(code.prefix(8))
    }

    private static func seconds(_ time: NIODeadline) -> UInt32 {
        UInt32(truncatingIfNeeded: time.uptimeNanoseconds / 1_000_000_000)
    }

    private static func digits(_ number: UInt32) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: 8 - text.utf8.count) + text
    }
}

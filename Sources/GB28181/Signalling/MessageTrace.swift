package import SIP

/// The last SIP messages of devices, for diagnosis. Keepalives are kept only for devices that the operator watches;
/// all in all it holds a fixed number of messages, and no passwords.
package struct MessageTrace: Sendable {
    package struct Entry: Equatable, Sendable {
        /// Milliseconds since 1970.
        package var at: Int64
        package var isOutgoing: Bool
        package var flow: SIPFlow
        var bytes: [UInt8]

        /// The message; characters of other charsets than UTF-8 are replaced.
        package var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    package static let perDevice = 20
    package static let watchedLimit = 64
    private static let sharedLimit = 1024
    private static let sizeLimit = 4096

    private var watched: [String: [Entry]] = [:]
    private var shared: [(deviceID: String, entry: Entry)] = []
    private var next = 0

    /// Starts or stops keeping everything of one device; false where too many are watched already.
    package mutating func watch(_ deviceID: String, _ isOn: Bool) -> Bool {
        if !isOn {
            watched[deviceID] = nil
        } else if watched[deviceID] == nil {
            guard watched.count < Self.watchedLimit else { return false }
            watched[deviceID] = []
        }
        return true
    }

    func isWatched(_ deviceID: String) -> Bool {
        !watched.isEmpty && watched[deviceID] != nil
    }

    /// Oldest first.
    package func entries(_ deviceID: String) -> [Entry] {
        if let entries = watched[deviceID] { return entries }
        let ordered = shared[next...] + shared[..<next]
        return ordered.filter { $0.deviceID == deviceID }.suffix(Self.perDevice).map(\.entry)
    }

    mutating func add(_ bytes: [UInt8], of deviceID: String, isOutgoing: Bool, flow: SIPFlow, at time: Int64) {
        var kept = bytes.count > Self.sizeLimit ? Array(bytes.prefix(Self.sizeLimit)) : bytes
        // Most messages hold no secret and are shared as they are; this runs for every message of a registration storm.
        if Redaction.isNeeded(kept) { kept = Redaction.redacted(kept) }
        let entry = Entry(at: time, isOutgoing: isOutgoing, flow: flow, bytes: kept)
        if watched[deviceID] != nil {
            watched[deviceID]?.append(entry)
            if watched[deviceID]?.count ?? 0 > Self.perDevice { watched[deviceID]?.removeFirst() }
        } else if shared.count < Self.sharedLimit {
            shared.append((deviceID, entry))
        } else {
            shared[next] = (deviceID, entry)
            next = (next + 1) % Self.sharedLimit
        }
    }
}

/// Takes lines with credentials out of a message: digest answers, `a=password`, `<Password>`, URLs with a user part.
enum Redaction {
    private static let authorization = Array("authorization:".utf8)
    private static let password = Array("password".utf8)
    private static let url = Array("://".utf8)
    private static let substitute = Array("(line with credentials hidden)".utf8)

    static func isNeeded(_ bytes: [UInt8]) -> Bool {
        holdsSecret(bytes[...])
    }

    static func redacted(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
            if !result.isEmpty { result.append(10) }
            result.append(contentsOf: holdsSecret(line) ? substitute[...] : line)
        }
        return result
    }

    private static func holdsSecret(_ bytes: ArraySlice<UInt8>) -> Bool {
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "p"), UInt8(ascii: "P"): if begins(bytes[index...], password) { return true }
            case UInt8(ascii: "a"), UInt8(ascii: "A"): if begins(bytes[index...], authorization) { return true }
            case UInt8(ascii: ":"): if begins(bytes[index...], url) { return true }
            default: break
            }
        }
        return false
    }

    private static func begins(_ bytes: ArraySlice<UInt8>, _ word: [UInt8]) -> Bool {
        guard bytes.count >= word.count else { return false }
        for (offset, byte) in word.enumerated() {
            let other = bytes[bytes.startIndex + offset]
            guard other == byte || (other | 0x20 == byte && byte >= 0x61) else { return false }
        }
        return true
    }
}

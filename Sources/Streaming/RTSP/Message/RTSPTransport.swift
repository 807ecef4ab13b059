import Wire

/// Two ports, or two interleaved channels: RTP's and RTCP's.
package struct RTSPPair<Number: FixedWidthInteger & Hashable & Sendable>: Hashable, Sendable {
    package var rtp: Number
    package var rtcp: Number

    package init(_ rtp: Number, _ rtcp: Number) {
        self.rtp = rtp
        self.rtcp = rtcp
    }

    /// A number and the next one; nil where there is no next one.
    package init?(_ rtp: Number) {
        guard rtp < .max else { return nil }
        self.init(rtp, rtp &+ 1)
    }

    var isAdjacent: Bool { rtp < .max && rtcp == rtp &+ 1 }

    var text: String { "\(rtp)-\(rtcp)" }
}

package typealias RTSPPorts = RTSPPair<UInt16>
package typealias RTSPChannels = RTSPPair<UInt8>

/// One alternative of a `Transport` field (RFC 2326 12.39).
package struct RTSPTransport: Hashable, Sendable {
    package enum Lower: Hashable, Sendable {
        case udp
        case tcp
    }

    package enum Mode: Hashable, Sendable {
        case play
        case record
    }

    package enum Fault: Error, Hashable, Sendable {
        /// No profile, or a parameter that cannot be read: 400.
        case malformed
        /// Profiles that are not RTP over UDP or TCP, such as `MP2T/H2221/UDP` and RealNetworks': 461.
        case unknownProfile
    }

    package var lower: Lower
    /// The profile is SAVP.
    package var isSecure = false
    package var isMulticast = false
    package var source: String?
    package var destination: String?
    package var channels: RTSPChannels?
    /// Of multicast.
    package var port: RTSPPorts?
    package var ttl: UInt8?
    package var clientPort: RTSPPorts?
    package var serverPort: RTSPPorts?
    package var ssrc: UInt32?
    /// Nil where the peer wrote none, which means play.
    package var mode: Mode?

    package init(_ lower: Lower) {
        self.lower = lower
    }

    package static func udp(clientPort: RTSPPorts, serverPort: RTSPPorts? = nil) -> RTSPTransport {
        var transport = RTSPTransport(.udp)
        transport.clientPort = clientPort
        transport.serverPort = serverPort
        return transport
    }

    package static func tcp(_ channels: RTSPChannels?) -> RTSPTransport {
        var transport = RTSPTransport(.tcp)
        transport.channels = channels
        return transport
    }

    /// The alternatives that can be read, in the order of the client's preference.
    ///
    /// - Throws: where there is none: what is wrong with the last.
    package static func alternatives(_ headers: RTSPHeaders) throws(Fault) -> [RTSPTransport] {
        var all: [RTSPTransport] = []
        var fault = Fault.malformed
        for text in headers.all("Transport") {
            for piece in HeaderText.split(text[...], separator: UInt8(ascii: ",")).prefix(16) {
                do throws(Fault) {
                    all.append(try RTSPTransport(piece))
                } catch {
                    fault = error
                }
            }
        }
        if all.isEmpty { throw fault }
        return all
    }

    /// - Parameter isLenient: as for what a server answers: parameters that cannot be read are as if they were absent.
    package init(_ text: Substring, isLenient: Bool = false) throws(Fault) {
        let parameters = HeaderParameters(parsing: text, separator: UInt8(ascii: ";"))
        // Mostly first, but the order is of no matter.
        guard let profile = parameters.items.first(where: { $0.value == nil && $0.name.utf8.contains(0x2F) }) else {
            throw .malformed
        }
        switch profile.name.uppercased().split(separator: "/", omittingEmptySubsequences: false) {
        case ["RTP", "AVP"], ["RTP", "AVP", "UDP"]: lower = .udp
        case ["RTP", "AVP", "TCP"]: lower = .tcp
        case ["RTP", "SAVP"], ["RTP", "SAVP", "UDP"]: (lower, isSecure) = (.udp, true)
        case ["RTP", "SAVP", "TCP"]: (lower, isSecure) = (.tcp, true)
        default: throw .unknownProfile
        }
        for item in parameters.items {
            do throws(Fault) {
                try take(item)
            } catch {
                if !isLenient { throw error }
            }
        }
    }

    private mutating func take(_ item: HeaderParameter) throws(Fault) {
        let value = String(HeaderText.trim((item.value ?? "")[...]))
        switch item.name.lowercased() {
        case "multicast": isMulticast = true
        case "unicast": isMulticast = false
        // Dahua writes `source=` and nothing.
        case "source": source = value.isEmpty ? nil : value
        case "destination": destination = value.isEmpty ? nil : value
        case "interleaved": channels = try Self.pair(value)
        case "port": port = try Self.pair(value)
        case "client_port": clientPort = try Self.pair(value)
        case "server_port": serverPort = try Self.pair(value)
        case "ttl":
            guard let number = UInt8(value) else { throw .malformed }
            ttl = number
        case "ssrc": ssrc = Self.ssrc(value)
        case "mode": mode = Self.mode(value)
        default: break
        }
    }

    /// `a-b`, or `a` alone for a and the next one.
    private static func pair<Number>(_ text: String) throws(Fault) -> RTSPPair<Number> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Number(HeaderText.trim($0)) }
        guard numbers.count == parts.count, let first = numbers.first else { throw .malformed }
        switch numbers.count {
        case 1:
            guard let pair = RTSPPair(first) else { throw .malformed }
            return pair
        case 2: return RTSPPair(first, numbers[1])
        default: throw .malformed
        }
    }

    /// Hikvision and Dahua write an odd number of digits, blanks before them, or more than there is room for.
    private static func ssrc(_ text: String) -> UInt32? {
        UInt32(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16)
    }

    /// Old clients write `receive` for record (RFC 2326 before it was final).
    private static func mode(_ text: String) -> Mode? {
        let text = text.lowercased()
        if text.contains("record") || text.contains("receive") { return .record }
        return text.contains("play") ? .play : nil
    }

    /// The field's value.
    package var text: String {
        var text = isSecure ? "RTP/SAVP" : "RTP/AVP"
        switch lower {
        case .udp: text += "/UDP"
        case .tcp: text += "/TCP"
        }
        text += isMulticast ? ";multicast" : ";unicast"
        if let destination { text += ";destination=\(destination)" }
        if let source { text += ";source=\(source)" }
        if let channels { text += ";interleaved=\(channels.text)" }
        if let port { text += ";port=\(port.text)" }
        if let clientPort { text += ";client_port=\(clientPort.text)" }
        if let serverPort { text += ";server_port=\(serverPort.text)" }
        if let ttl { text += ";ttl=\(ttl)" }
        if let ssrc {
            let digits = String(ssrc, radix: 16, uppercase: true)
            text += ";ssrc=" + String(repeating: "0", count: 8 &- digits.utf8.count) + digits
        }
        switch mode {
        case .play: text += ";mode=play"
        case .record: text += ";mode=record"
        case nil: break
        }
        return text
    }
}

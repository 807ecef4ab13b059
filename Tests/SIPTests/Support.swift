import NIOCore
import SIP

/// SplitMix64: the same numbers each run.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension SIPFlow {
    static let udp = SIPFlow(
        transport: .udp,
        localHost: "192.0.2.1",
        localPort: 5060,
        remoteHost: "192.0.2.64",
        remotePort: 5060
    )
    static let tcp = SIPFlow(
        transport: .tcp,
        localHost: "192.0.2.1",
        localPort: 5060,
        remoteHost: "192.0.2.64",
        remotePort: 40_000,
        connection: 9
    )
}

/// The text of a message with CRLF line ends.
func crlf(_ text: String) -> [UInt8] {
    Array(text.replacing("\n", with: "\r\n").utf8)
}

func milliseconds(_ count: Int64) -> NIODeadline {
    .uptimeNanoseconds(1_000_000_000_000) + .milliseconds(count)
}

func makeRequest(
    _ method: SIPMethod,
    callID: String = "call-1",
    sequence: UInt32 = 1,
    branch: String? = nil,
    body: [UInt8] = []
) -> SIPRequest {
    var request = SIPRequest(method: method, uri: "sip:34020000001320000001@192.0.2.64:5060", body: body)
    if let branch {
        request.headers.append(.via, "SIP/2.0/UDP 192.0.2.64:5060;rport;branch=\(branch)")
    }
    request.headers.append(.from, "<sip:34020000002000000001@3402000000>;tag=f1")
    request.headers.append(.to, "<sip:34020000001320000001@192.0.2.64:5060>")
    request.headers.append(.callID, callID)
    request.headers.append(.cseq, "\(sequence) \(method.text)")
    return request
}

extension [SIPTransactionAction] {
    /// What was sent, read back.
    var sent: [SIPMessage] {
        compactMap { action in
            guard case .send(let bytes, _) = action else { return nil }
            return try? SIPMessage.parse(bytes)
        }
    }

    var sentMethods: [String] {
        sent.map { message in
            switch message {
            case .request(let request): request.method.text
            case .response(let response): String(response.status)
            }
        }
    }

    var statuses: [Int] {
        compactMap { action in
            guard case .response(let response, _) = action else { return nil }
            return response.status
        }
    }
}

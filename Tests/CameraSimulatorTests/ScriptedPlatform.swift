import CameraSimulator
import GB28181
import NIOCore
import SIP
import Testing
import Wire

/// A platform on the same transaction layer, joined to one simulated camera without a network. Tests say what it answers.
struct ScriptedPlatform {
    static let id = "34020000002000000001"
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    var camera: SimulatedCamera
    var now = Self.start
    var transactions = SIPTransactions(tokens: SIPTokens(SplitMix(state: 7)))
    /// Requests of the camera, and its final answers to ours, since the last look.
    var requests: [(request: SIPRequest, id: SIPServerTransactionID)] = []
    var responses: [SIPResponse] = []
    var invite: SIPClientTransactionID?
    /// What the camera wanted done besides sending.
    var actions: [SimulatedCamera.Action] = []
    /// Messages in either direction are lost while this is true.
    var isCut = false

    private let cameraFlow: SIPFlow
    private let ownFlow: SIPFlow

    init(_ configuration: CameraConfiguration) {
        let transport: SIPFlow.Transport = configuration.transport == .tcp ? .tcp : .udp
        let connection: UInt64 = transport == .tcp ? 1 : 0
        cameraFlow = SIPFlow(
            transport: transport,
            localHost: "10.0.0.2",
            localPort: 5062,
            remoteHost: "10.0.0.1",
            remotePort: 5060,
            connection: connection
        )
        ownFlow = SIPFlow(
            transport: transport,
            localHost: "10.0.0.1",
            localPort: 5060,
            remoteHost: "10.0.0.2",
            remotePort: 5062,
            connection: connection
        )
        camera = SimulatedCamera(
            configuration: configuration,
            platform: PlatformConfiguration(id: Self.id, host: "10.0.0.1"),
            startAt: Self.start,
            generator: SplitMix(state: 3)
        )
        camera.connected(cameraFlow, now: now)
        take(camera.advance(to: now))
    }

    /// Carries out what the camera wants; sent bytes reach the platform at once.
    mutating func take(_ actions: [SimulatedCamera.Action]) {
        for action in actions {
            guard case .send(let bytes) = action else {
                self.actions.append(action)
                continue
            }
            guard !isCut, let message = try? SIPMessage.parse(bytes) else { continue }
            take(transactions.receive(message, from: ownFlow, now: now))
        }
    }

    mutating func take(_ actions: [SIPTransactionAction]) {
        for action in actions {
            switch action {
            case .send(let bytes, _):
                guard !isCut, let message = try? SIPMessage.parse(bytes) else { continue }
                take(camera.receive(message, now: now))
            case .request(let request, let id, _): requests.append((request, id))
            case .response(let response, _): responses.append(response)
            default: break
            }
        }
    }

    /// Lets time pass in steps that miss no timer of either side.
    mutating func advance(by amount: TimeAmount) {
        let end = now + amount
        while let next = [camera.deadline, transactions.deadline].compactMap(\.self).min(), next <= end {
            now = max(next, now)
            take(transactions.advance(to: now))
            take(camera.advance(to: now))
        }
        now = end
    }

    /// The oldest request that was not looked at.
    mutating func nextRequest() -> (request: SIPRequest, id: SIPServerTransactionID)? {
        requests.isEmpty ? nil : requests.removeFirst()
    }

    mutating func expectRequest() throws -> (request: SIPRequest, id: SIPServerTransactionID) {
        let next = nextRequest()
        return try #require(next)
    }

    /// The one request that waits, answered with 200.
    mutating func expectAnswered() throws -> SIPRequest {
        let all = answerAll()
        #expect(all.count == 1)
        return try #require(all.first)
    }

    mutating func answer(
        _ incoming: (request: SIPRequest, id: SIPServerTransactionID),
        _ status: Int,
        headers: [(SIPHeaderName, String)] = []
    ) {
        var response = SIPResponse(to: incoming.request, from: ownFlow, status: status, tag: "p")
        for (name, value) in headers { response.headers.append(name, value) }
        take(transactions.respond(incoming.id, with: response, now: now))
    }

    /// Answers what waits with 200 until nothing more comes; gives the requests.
    mutating func answerAll() -> [SIPRequest] {
        var seen: [SIPRequest] = []
        while let incoming = nextRequest() {
            seen.append(incoming.request)
            answer(incoming, 200)
        }
        return seen
    }

    mutating func register() {
        _ = answerAll()
        actions = []
    }

    @discardableResult
    mutating func send(_ request: SIPRequest) -> SIPClientTransactionID? {
        let (id, actions) = transactions.send(request, over: ownFlow, sentBy: "10.0.0.1:5060", now: now)
        take(actions)
        return id
    }

    mutating func send(_ query: ManscdpQuery) {
        var request = request(.message, to: camera.configuration.id, body: query.encoded())
        request.headers.append(.contentType, ManscdpQuery.contentType)
        send(request)
    }

    mutating func invite(_ channel: String, _ transport: MediaTransport, body: [UInt8]? = nil) -> SIPRequest {
        let offer = MediaOffer(
            channelID: channel,
            platformID: Self.id,
            host: "10.0.0.1",
            port: 30000,
            transport: transport,
            ssrc: SSRC(value: 200_000_001)
        )
        var request = request(.invite, to: channel, body: body ?? offer.body)
        request.headers.append(.contentType, MediaOffer.contentType)
        request.headers.append(.subject, offer.subject.text)
        invite = send(request)
        return request
    }

    /// ACKs the 200 to `invite`.
    mutating func acknowledge(_ request: SIPRequest) -> SIPDialog? {
        guard let response = responses.last, response.isSuccess, let invite,
            let dialog = SIPDialog(invite: request, response: response)
        else { return nil }
        take(transactions.acknowledge(invite, with: dialog.acknowledgement(sequence: 1), sentBy: "10.0.0.1:5060"))
        return dialog
    }

    mutating func expectDialog(_ request: SIPRequest) throws -> SIPDialog {
        let dialog = acknowledge(request)
        return try #require(dialog)
    }

    mutating func cancelInvite() {
        guard let invite else { return }
        take(transactions.cancel(invite, now: now))
    }

    private func request(_ method: SIPMethod, to user: String, body: [UInt8]) -> SIPRequest {
        var request = SIPRequest(method: method, uri: "sip:\(user)@10.0.0.2:5062", body: body)
        request.headers.append(.from, "<sip:\(Self.id)@3402000000>;tag=p1")
        request.headers.append(.to, "<sip:\(user)@10.0.0.2:5062>")
        request.headers.append(.callID, "call-\(transactions.statistics.requests)-\(user)-\(method.text)")
        request.headers.append(.cseq, SIPSequence(1, method).headerValue)
        request.headers.append(.contact, "<sip:\(Self.id)@10.0.0.1:5060>")
        return request
    }
}

struct SplitMix: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

import NIOCore
import SIP
import Wire

@testable import GB28181

/// SplitMix64: the same numbers each run.
struct SignallingRandom: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

let platformID = "34020000002000000001"
let cameraID = "34020000001320000001"
let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

func flow(_ port: Int = 5060, host: String = "192.0.2.64", tcp: UInt64? = nil) -> SIPFlow {
    SIPFlow(
        transport: tcp == nil ? .udp : .tcp,
        localHost: "192.0.2.1",
        localPort: 5060,
        remoteHost: host,
        remotePort: port,
        connection: tcp ?? 0
    )
}

/// A camera of the tests: it registers, keeps alive, answers queries and INVITEs.
struct CameraModel {
    let id: String
    var password = "12345678"
    /// As the platform sees it.
    var flow: SIPFlow
    var transactions: SIPTransactions
    var random: SignallingRandom
    var expires = 3600
    var channels: [String]
    var answersQueries = true
    /// Final answers to INVITE in turn; the last one repeats. 0: none at all. Below 200: only that.
    var inviteAnswers = [200]
    var answersBye = true
    var sdp: String?

    var isRegistered = false
    var registerAnswers: [SIPResponse] = []
    var messageAnswers: [Int] = []
    var received: [SIPRequest] = []
    var streaming: Set<String> = []
    var acknowledged = 0
    var byeAnswers: [Int] = []

    private var callID = "reg-1"
    private var sequence: UInt32 = 0
    private var messageCount = 0
    private var pendingRegister: SIPRequest?
    private var registerID: SIPClientTransactionID?

    init(_ id: String = cameraID, flow: SIPFlow = GB28181Tests.flow(), seed: UInt64 = 1) {
        self.id = id
        self.flow = flow
        random = SignallingRandom(state: seed)
        transactions = SIPTransactions(tokens: SIPTokens(SignallingRandom(state: seed &+ 77)))
        channels = [id]
    }

    private func request(_ method: SIPMethod, callID: String, sequence: UInt32, body: [UInt8] = []) -> SIPRequest {
        var request = SIPRequest(method: method, uri: "sip:\(platformID)@3402000000", body: body)
        request.headers.append(.from, "<sip:\(id)@3402000000>;tag=c1")
        request.headers.append(.to, "<sip:\(method == .register ? id : platformID)@3402000000>")
        request.headers.append(.callID, callID)
        request.headers.append(.cseq, "\(sequence) \(method.text)")
        if !body.isEmpty { request.headers.append(.contentType, "Application/MANSCDP+xml") }
        return request
    }

    mutating func register(restart: Bool = false, expires: Int? = nil, now: NIODeadline) -> [SIPTransactionAction] {
        if restart { callID = "reg-\(random.next())" }
        sequence += 1
        var request = request(.register, callID: callID, sequence: sequence)
        request.headers.append(.contact, "<sip:\(id)@192.168.1.64:5060>")
        request.headers.append(.expires, String(expires ?? self.expires))
        request.headers.append(.userAgent, "IP Camera")
        pendingRegister = request
        return sendRegister(request, now: now)
    }

    private mutating func sendRegister(_ request: SIPRequest, now: NIODeadline) -> [SIPTransactionAction] {
        let sent = transactions.send(request, over: flow, sentBy: "192.168.1.64:5060", now: now)
        registerID = sent.id
        return sent.actions
    }

    mutating func message(_ body: [UInt8], now: NIODeadline) -> [SIPTransactionAction] {
        messageCount += 1
        let request = request(.message, callID: "m-\(id)-\(messageCount)-\(random.next())", sequence: 20, body: body)
        return transactions.send(request, over: flow, sentBy: "192.168.1.64:5060", now: now).actions
    }

    mutating func keepalive(now: NIODeadline) -> [SIPTransactionAction] {
        message(ManscdpReport.keepalive(Keepalive(sn: 1, deviceID: id)).encoded(), now: now)
    }

    mutating func bye(_ dialog: SIPDialog, now: NIODeadline) -> [SIPTransactionAction] {
        var dialog = dialog
        return transactions.send(dialog.request(.bye), over: flow, sentBy: "192.168.1.64:5060", now: now).actions
    }

    var dialogs: [String: SIPDialog] = [:]

    mutating func handle(_ action: SIPTransactionAction, now: NIODeadline) -> [SIPTransactionAction] {
        switch action {
        case .send: return [action]
        case .request(let request, let id, _):
            received.append(request)
            return answer(request, id, now: now)
        case .response(let response, let id):
            guard !response.isProvisional else { return [] }
            if id == registerID { return registerAnswered(response, now: now) }
            if response.headers.cseq?.method == .bye {
                byeAnswers.append(response.status)
            } else {
                messageAnswers.append(response.status)
            }
            return []
        case .acknowledged:
            acknowledged += 1
            return []
        case .cancelled(let id):
            guard let invite = received.last(where: { $0.method == .invite }) else { return [] }
            return transactions.respond(id, with: SIPResponse(to: invite, from: flow, status: 487, tag: "x"), now: now)
        case .timeout, .flowFailed, .acknowledgementMissing: return []
        }
    }

    private mutating func registerAnswered(_ response: SIPResponse, now: NIODeadline) -> [SIPTransactionAction] {
        registerAnswers.append(response)
        if response.status == 200 { isRegistered = true }
        guard response.status == 401, var request = pendingRegister, request.headers[.authorization] == nil,
            let challenge = response.headers[.wwwAuthenticate].flatMap(DigestChallenge.init(parsing:))
        else { return [] }
        pendingRegister = nil
        sequence += 1
        request.headers[.cseq] = "\(sequence) REGISTER"
        let credentials = DigestCredentials(username: id, password: password)
        let answer = credentials.answer(challenge: challenge, method: "REGISTER", uri: request.uri, cnonce: "c")
        request.headers[.authorization] = answer.headerValue
        return sendRegister(request, now: now)
    }

    private mutating func answer(
        _ request: SIPRequest,
        _ id: SIPServerTransactionID,
        now: NIODeadline
    ) -> [SIPTransactionAction] {
        func response(_ status: Int) -> SIPResponse {
            SIPResponse(to: request, from: flow, status: status, tag: "cam\(received.count)")
        }
        switch request.method {
        case .message:
            var actions = transactions.respond(id, with: response(200), now: now)
            guard answersQueries, case .query(let query)? = try? ManscdpMessage.parse(request.body) else {
                return actions
            }
            switch query {
            case .catalog(let sn, _):
                for channel in channels {
                    let item = CatalogItem(deviceID: channel, name: "大门")
                    let part = CatalogPart(sn: sn, deviceID: self.id, sumNum: channels.count, items: [item])
                    actions += message(ManscdpReport.catalog(part).encoded(), now: now)
                }
            case .deviceInfo(let sn, _):
                let info = DeviceInfo(sn: sn, deviceID: self.id, name: "Front", manufacturer: "M", model: "X")
                actions += message(ManscdpReport.deviceInfo(info).encoded(), now: now)
            case .deviceStatus: break
            }
            return actions
        case .invite:
            let status = inviteAnswers.first ?? 200
            if inviteAnswers.count > 1 { inviteAnswers.removeFirst() }
            if status == 0 { return [] }
            if status < 200 { return transactions.respond(id, with: response(status), now: now) }
            var final = response(status)
            if status == 200 {
                let body =
                    sdp
                    ?? "v=0\ns=Play\nc=IN IP4 192.168.1.64\nt=0 0\nm=video 6000 RTP/AVP 96\na=sendonly\na=rtpmap:96 PS/90000\ny=0200000001\n"
                final.body = Array(body.utf8)
                final.headers[.contact] = "<sip:\(self.id)@192.168.1.64:5060>"
                final.headers[.contentType] = "application/sdp"
                streaming.insert(request.headers.callID)
                dialogs[request.headers.callID] = SIPDialog(answering: request, localTag: final.headers.to?.tag ?? "")
            }
            return transactions.respond(id, with: response(100), now: now)
                + transactions.respond(id, with: final, now: now)
        case .bye:
            guard answersBye else { return [] }
            let known = streaming.remove(request.headers.callID) != nil
            return transactions.respond(id, with: response(known ? 200 : 481), now: now)
        default:
            return transactions.respond(id, with: response(405), now: now)
        }
    }
}

/// The core and its cameras on one wire, in injected time.
struct World {
    var core: SignallingCore
    var cameras: [CameraModel]
    var now = start
    var loss = 0.0
    var delay: ClosedRange<Int64> = 1...1
    var random = SignallingRandom(state: 99)
    /// What the core did, apart from sending.
    var actions: [(at: Int64, action: SignallingAction)] = []
    /// What the core sent, whether it arrived or not.
    var sent: [(at: Int64, message: SIPMessage, flow: SIPFlow)] = []
    private var inFlight: [(at: NIODeadline, camera: Int?, bytes: [UInt8], flow: SIPFlow)] = []

    init(_ cameras: [CameraModel] = [CameraModel()], configure: (inout SignallingConfiguration) -> Void = { _ in }) {
        var configuration = SignallingConfiguration(platformID: platformID, domain: "3402000000")
        configuration.password = "12345678"
        configure(&configuration)
        // 2024-05-17T14:07:33.263 in Beijing.
        let clock = WallClock(unixMilliseconds: 1_715_926_053_263, at: start)
        core = SignallingCore(configuration: configuration, random: SignallingRandom(state: 4), clock: clock)
        self.cameras = cameras
    }

    /// Milliseconds since the start.
    var time: Int64 { (now - start).nanoseconds / 1_000_000 }

    var events: [SignallingAction] { actions.map(\.action) }

    mutating func apply(_ list: [SignallingAction]) {
        for action in list {
            guard case .send(let bytes, let flow) = action else {
                actions.append((time, action))
                continue
            }
            if let message = try? SIPMessage.parse(bytes) { sent.append((time, message, flow)) }
            guard let camera = cameras.firstIndex(where: { $0.flow == flow }) else { continue }
            launch(bytes, camera: camera, flow: flow)
        }
    }

    private mutating func launch(_ bytes: [UInt8], camera: Int?, flow: SIPFlow) {
        guard loss == 0 || Double.random(in: 0..<1, using: &random) >= loss else { return }
        inFlight.append((now + .milliseconds(Int64.random(in: delay, using: &random)), camera, bytes, flow))
    }

    /// Lets a camera do something.
    mutating func camera(_ index: Int = 0, _ body: (inout CameraModel, NIODeadline) -> [SIPTransactionAction]) {
        let list = body(&cameras[index], now)
        carry(list, from: index)
    }

    private mutating func carry(_ list: [SIPTransactionAction], from index: Int) {
        for action in list {
            if case .send(let bytes, _) = action {
                launch(bytes, camera: nil, flow: cameras[index].flow)
            } else {
                let more = cameras[index].handle(action, now: now)
                carry(more, from: index)
            }
        }
    }

    mutating func run(_ milliseconds: Int64) {
        let end = now + .milliseconds(milliseconds)
        while true {
            let times =
                inFlight.map(\.at) + [core.deadline].compactMap { $0 } + cameras.compactMap(\.transactions.deadline)
            guard let next = times.min(), next <= end else { break }
            now = max(now, next)
            let arrived = inFlight.filter { $0.at <= now }
            inFlight.removeAll { $0.at <= now }
            for packet in arrived {
                guard let message = try? SIPMessage.parse(packet.bytes) else { continue }
                if let camera = packet.camera {
                    carry(cameras[camera].transactions.receive(message, from: packet.flow, now: now), from: camera)
                } else {
                    apply(core.receive(message, from: packet.flow, now: now))
                }
            }
            for index in cameras.indices {
                carry(cameras[index].transactions.advance(to: now), from: index)
            }
            apply(core.advance(to: now))
        }
        now = end
    }

    /// Registers the first camera and lets the queries pass.
    mutating func settle() {
        for index in cameras.indices { camera(index) { $0.register(now: $1) } }
        run(3000)
        actions = []
        sent = []
    }

    var inviteRequest: InviteRequest {
        InviteRequest(
            deviceID: cameraID,
            channelID: cameraID,
            mediaHost: "192.0.2.1",
            mediaPort: 30_000,
            transport: .udp,
            ssrc: SSRC(value: 200_000_001)
        )
    }

    @discardableResult
    mutating func invite(_ request: InviteRequest? = nil) -> InviteOutcome {
        let (outcome, list) = core.invite(request ?? inviteRequest, now: now)
        apply(list)
        return outcome
    }

    func requests(_ method: SIPMethod) -> [(at: Int64, request: SIPRequest)] {
        sent.compactMap { entry in
            guard case .request(let request) = entry.message, request.method == method else { return nil }
            return (entry.at, request)
        }
    }

    var failure: InviteFailure? {
        for case .inviteFailed(_, let failure) in events { return failure }
        return nil
    }

    var logs: [String] {
        events.compactMap { if case .log(_, _, let text) = $0 { text } else { nil } }
    }
}

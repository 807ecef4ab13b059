package import NIOCore

/// Our side of a connection to another RTSP server or camera: plays a stream, or publishes one. The media to publish is not its
/// business, nor is what comes over UDP, of which it wants to be told.
package struct RTSPClientSession: Sendable {
    package struct Statistics: Hashable, Sendable {
        package var bytesReceived: UInt64 = 0
        /// Bytes that belonged to no message and no packet.
        package var junkBytes: UInt64 = 0
        /// Interleaved packets of channels that were not set up, or before they were asked for.
        package var unknownChannels: UInt64 = 0
        /// Responses to nothing that waits, among them those to keepalives.
        package var otherResponses: UInt64 = 0
    }

    /// The answer that is waited for.
    enum Step: String {
        case connection = "the TCP connection"
        case options = "OPTIONS"
        case describe = "DESCRIBE"
        case announce = "ANNOUNCE"
        /// Our owner's.
        case owner = "the description"
        case setup = "SETUP"
        case play = "PLAY"
        case record = "RECORD"
        case started
        case closed
    }

    /// A request that waits for its response.
    struct Pending {
        var request: RTSPRequest
        var cseq: Int
        var attempts = 1
    }

    private static let maximumHeld = 1 << 18

    package let configuration: RTSPClientConfiguration
    /// What is asked for now: TCP after UDP has failed.
    package internal(set) var transport: RTSPTransport.Lower
    /// Where to connect to: that of the configuration until the server redirects.
    package internal(set) var url: RTSPURL
    package internal(set) var statistics = Statistics()

    private(set) var step = Step.connection
    private var acceptDeadline: NIODeadline?
    private var random: SplitMix64
    private var reader = RTSPReader(.client)
    /// What came while our owner was asked.
    private var held = ByteBuffer()
    var authentication: RTSPClientAuthentication
    var redirects = 0
    var cseq = 0
    var pending: Pending?
    /// Of the newest keepalive.
    var keepalive: Pending?
    var methods: [String] = []
    var contentBase: String?
    var base: RTSPURL
    var session: RTSPSessionHeader?
    /// The medias that are wanted, with their URLs and ports; those in front are set up.
    var wanted: [(media: Int, url: RTSPURL, ports: RTSPPorts?)] = []
    var media: [RTSPClientMedia] = []
    var lastPacket: NIODeadline?
    var started: NIODeadline
    var nextKeepalive: NIODeadline

    /// - Parameters:
    ///   - seed: random: for the client's nonces.
    ///   - now: the beginning of the attempt, before the name is resolved.
    package init(_ configuration: RTSPClientConfiguration, seed: UInt64, now: NIODeadline) {
        self.configuration = configuration
        transport = configuration.transport
        url = configuration.url
        base = configuration.url
        acceptDeadline = configuration.timeout.map { now + $0 }
        random = SplitMix64(state: seed)
        authentication = RTSPClientAuthentication(user: url.user, password: url.password)
        started = now
        nextKeepalive = now
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        switch step {
        case .closed: nil
        case .started: mediaDeadline.map { min($0, nextKeepalive) } ?? nextKeepalive
        default: acceptDeadline
        }
    }

    package mutating func advance(to now: NIODeadline) -> [RTSPClientAction] {
        guard let deadline, now >= deadline else { return [] }
        guard step == .started else { return close(.timeout(step: step.rawValue)) }
        if let mediaDeadline, now >= mediaDeadline {
            return lastPacket == nil && transport == .udp && configuration.fallsBackToTCP
                ? retryOverTCP(now: now) : close(.silence)
        }
        return [.send(writeKeepalive(now: now))]
    }

    /// A connection is up: the first one, or one after `reconnect`.
    package mutating func start(now: NIODeadline) -> [RTSPClientAction] {
        guard step != .closed else { return [] }
        reader = RTSPReader(.client)
        held = ByteBuffer()
        statistics.bytesReceived = 0
        session = nil
        media = []
        wanted = []
        methods = []
        contentBase = nil
        keepalive = nil
        lastPacket = nil
        base = url
        return ask(.options, RTSPRequest(.options, url.text))
    }

    /// Takes bytes of the server.
    package mutating func receive(_ input: ByteBuffer, now: NIODeadline) -> [RTSPClientAction] {
        statistics.bytesReceived &+= UInt64(input.readableBytes)
        return read(input, now: now)
    }

    private mutating func read(_ input: ByteBuffer, now: NIODeadline) -> [RTSPClientAction] {
        var actions: [RTSPClientAction] = []
        var input = input
        do throws(RTSPFault) {
            while step != .closed, step != .connection, step != .owner, let event = try reader.next(from: &input) {
                switch event {
                case .frame(let channel, let payload): take(channel, payload, now: now, into: &actions)
                case .response(let response): actions += take(response, now: now)
                case .request(let request): actions += take(request)
                }
            }
        } catch {
            actions += close(.broken(error))
        }
        statistics.junkBytes = reader.statistics.junkBytes
        if step == .owner {
            held.writeBuffer(&input)
            guard held.readableBytes <= Self.maximumHeld else { return actions + close(.broken(.tooManyRequests)) }
        }
        return actions
    }

    /// Answers `described`.
    ///
    /// - Parameters:
    ///   - media: the places of the medias that are wanted, in order.
    ///   - controls: `a=control` of every media of the description.
    ///   - sessionControl: that of the session.
    ///   - ports: over UDP, ours for each wanted media.
    package mutating func setUp(
        media: [Int],
        controls: [String?],
        sessionControl: String? = nil,
        ports: [RTSPPorts] = [],
        now: NIODeadline
    ) -> [RTSPClientAction] {
        guard step == .owner else { return [] }
        base = RTSPClientURLs.base(control: sessionControl, contentBase: contentBase, url: url)
        wanted = []
        for (index, place) in media.enumerated().prefix(RTSPServerSession.maximumMedia)
        where controls.indices.contains(place) {
            let target = RTSPClientURLs.media(control: controls[place], base: base, url: url)
            wanted.append((place, target, ports.indices.contains(index) ? ports[index] : nil))
        }
        guard !wanted.isEmpty else {
            return close(.unusable(step: "DESCRIBE", "the stream has no media that can be used"))
        }
        let actions = setUpNext(now: now)
        let input = held
        held = ByteBuffer()
        return actions + read(input, now: now)
    }

    /// Answers `announced`.
    ///
    /// - Parameter ports: over UDP, ours for each media.
    package mutating func setUp(ports: [RTSPPorts] = [], now: NIODeadline) -> [RTSPClientAction] {
        guard case .publisher(_, let count) = configuration.role else { return [] }
        let places = Array(0..<min(max(count, 0), RTSPServerSession.maximumMedia))
        return setUp(media: places, controls: places.map { "trackID=\($0)" }, ports: ports, now: now)
    }

    /// A packet came over UDP.
    package mutating func received(now: NIODeadline) {
        lastPacket = now
    }

    /// What to send before the connection is closed of our own accord; nil where nothing is set up.
    package mutating func goodbye() -> ByteBuffer? {
        guard session != nil, step != .closed, step != .connection else { return nil }
        return write(RTSPRequest(.teardown, base.text)).bytes
    }

    /// When a player's stream has been silent for too long.
    private var mediaDeadline: NIODeadline? {
        guard configuration.isPlayer else { return nil }
        if let lastPacket { return lastPacket + configuration.silenceTimeout }
        return started + (transport == .udp ? configuration.udpTimeout : configuration.silenceTimeout)
    }

    mutating func advanceStep(_ next: Step) {
        step = next
        reader.highestChannel = 255
    }

    /// From PLAY on it is known what a frame looks like.
    mutating func expectChannels() {
        var highest: UInt8 = 0
        for case .interleaved(let channels) in media.map(\.delivery) {
            highest = max(highest, channels.rtp, channels.rtcp)
        }
        reader.highestChannel = highest
    }

    mutating func close(_ fault: RTSPClientFault) -> [RTSPClientAction] {
        step = .closed
        pending = nil
        return [.close(fault)]
    }

    /// From the beginning: Hikvision keeps what a half session has set up.
    mutating func retryOverTCP(now: NIODeadline) -> [RTSPClientAction] {
        transport = .tcp
        // Over UDP it had been accepted, maybe.
        if step == .started { acceptDeadline = configuration.timeout.map { now + $0 } }
        return reconnect(to: url)
    }

    mutating func reconnect(to url: RTSPURL) -> [RTSPClientAction] {
        self.url = url
        step = .connection
        pending = nil
        return [.reconnect(url)]
    }

    mutating func ask(_ next: Step, _ request: RTSPRequest) -> [RTSPClientAction] {
        advanceStep(next)
        let (bytes, cseq) = write(request)
        pending = Pending(request: request, cseq: cseq)
        return [.send(bytes)]
    }

    /// The request with everything that every request has.
    mutating func write(_ request: RTSPRequest) -> (bytes: ByteBuffer, cseq: Int) {
        cseq &+= 1
        var headers: RTSPHeaders = ["CSeq": "\(cseq)", "User-Agent": configuration.userAgent]
        if let session { headers.add("Session", session.id) }
        let cnonce = cnonce()
        if let value = authentication.header(method: request.method, url: request.target, cnonce: cnonce) {
            headers.add("Authorization", value)
        }
        for field in request.headers.fields { headers.add(field.name, field.value) }
        var bytes = ByteBuffer()
        RTSPRequest(request.method, request.target, headers: headers, body: request.body).write(into: &bytes)
        return (bytes, cseq)
    }

    /// Sixteen random hexadecimal digits.
    private mutating func cnonce() -> String {
        let digits = String(random.next(), radix: 16)
        return String(repeating: "0", count: 16 &- digits.utf8.count) + digits
    }
}

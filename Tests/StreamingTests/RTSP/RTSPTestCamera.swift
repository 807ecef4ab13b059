import NIOCore
import Testing

@testable import Streaming

/// The other side of a client's session: what it was asked, and answers by hand.
struct RTSPTestCamera {
    static let beginning = NIODeadline.uptimeNanoseconds(1_000_000_000)

    var session: RTSPClientSession
    var now = Self.beginning
    /// Everything that was done, without what was sent.
    var actions: [RTSPClientAction] = []
    var requests: [RTSPRequest] = []
    private var reader = RTSPReader(.server)

    init(_ configuration: RTSPClientConfiguration) {
        session = RTSPClientSession(configuration, seed: 7, now: Self.beginning)
    }

    static func player(
        _ url: String,
        _ change: (inout RTSPClientConfiguration) -> Void = { _ in }
    ) throws -> RTSPTestCamera {
        var configuration = RTSPClientConfiguration(.player, try RTSPURL(url))
        change(&configuration)
        var camera = RTSPTestCamera(configuration)
        try camera.start()
        return camera
    }

    static func publisher(
        _ url: String,
        medias: Int = 1,
        _ change: (inout RTSPClientConfiguration) -> Void = { _ in }
    ) throws -> RTSPTestCamera {
        var configuration = RTSPClientConfiguration(
            .publisher(sdp: Array("v=0\r\n".utf8), mediaCount: medias),
            try RTSPURL(url)
        )
        change(&configuration)
        var camera = RTSPTestCamera(configuration)
        try camera.start()
        return camera
    }

    mutating func start() throws {
        reader = RTSPReader(.server)
        try take(session.start(now: now))
    }

    /// The request that waits.
    var last: RTSPRequest {
        get throws {
            guard let request = requests.last else { throw NoResponse(text: "no request") }
            return request
        }
    }

    /// Answers the last request.
    mutating func answer(_ code: Int = 200, _ headers: [String] = [], body: String = "") throws {
        var text = "RTSP/1.0 \(code) Reason\r\nCSeq: \(try last.cseq ?? "")\r\n"
        for header in headers { text += header + "\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        try receive(ByteBuffer(string: text + "\r\n" + body))
    }

    mutating func receive(_ bytes: ByteBuffer) throws {
        try take(session.receive(bytes, now: now))
    }

    mutating func advance(by time: TimeAmount) throws {
        now = now + time
        try take(session.advance(to: now))
    }

    mutating func take(_ new: [RTSPClientAction]) throws {
        for action in new {
            guard case .send(var bytes) = action else {
                actions.append(action)
                continue
            }
            while let event = try reader.next(from: &bytes) {
                if case .request(let request) = event { requests.append(request) }
            }
        }
    }

    /// Up to the SETUP of the first of two medias.
    mutating func describe(
        _ headers: [String] = [],
        controls: [String?] = ["trackID=0", "trackID=1"],
        sessionControl: String? = nil
    ) throws {
        try answer(200, ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER"])
        try answer(200, ["Content-Type: application/sdp"] + headers, body: "v=0\r\n")
        try setUp(controls, sessionControl: sessionControl)
    }

    mutating func setUp(_ controls: [String?], sessionControl: String? = nil) throws {
        let places = Array(controls.indices)
        try take(
            session.setUp(
                media: places,
                controls: controls,
                sessionControl: sessionControl,
                ports: places.map { RTSPPorts(UInt16(7000 + 2 * $0), UInt16(7001 + 2 * $0)) },
                now: now
            )
        )
    }

    var fault: RTSPClientFault? {
        if case .close(let fault)? = actions.last { fault } else { nil }
    }

    var reconnection: RTSPURL? {
        if case .reconnect(let url)? = actions.last { url } else { nil }
    }

    var acceptance: RTSPClientAcceptance? {
        for case .started(let acceptance) in actions { return acceptance }
        return nil
    }
}

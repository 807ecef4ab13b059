import Media
import NIOCore
import Testing

@testable import Streaming
@testable import Transport

/// An RTSP client over a real socket that says what it is told, with interleaved media.
final class RTSPTestClient {
    let socket: TestSocket
    let port: Int
    private var reader = RTSPReader(.client)
    private var input = ByteBuffer()
    private var events: [RTSPEvent] = []
    private var cseq = 0
    var session: String?
    /// In front of and behind the bytes on the way: base64 of a tunnel, WebSocket frames.
    var wrap: ([UInt8]) -> [UInt8] = { $0 }
    var unwrap: ([UInt8]) throws -> [UInt8] = { $0 }
    /// Where requests go, if not where answers come from.
    var outgoing: TestSocket?
    private(set) var sdp = ByteBuffer()
    /// The medias by the channels of their RTP packets.
    private(set) var channels: [UInt8: Int] = [:]

    init(port: Int) throws {
        self.port = port
        socket = try TestSocket.connected(to: port)
    }

    var url: String { "rtsp://127.0.0.1:\(port)/live/x" }

    func send(_ bytes: [UInt8]) {
        (outgoing ?? socket).send(wrap(bytes))
    }

    func send(_ text: String) {
        send(Array(text.utf8))
    }

    /// The next message or frame; nil at the end of the connection, or when nothing comes.
    func next() throws -> RTSPEvent? {
        while true {
            if let event = try reader.next(from: &input) { return event }
            guard let bytes = socket.receive() else { return nil }
            input.writeBytes(try unwrap(bytes))
        }
    }

    /// A request, and its answer. Frames that come before it are kept.
    @discardableResult
    func ask(
        _ method: String,
        _ target: String? = nil,
        _ headers: [String] = [],
        body: String = ""
    ) throws -> RTSPResponse {
        write(method, target, headers, body: body)
        return try answer()
    }

    func write(_ method: String, _ target: String? = nil, _ headers: [String] = [], body: String = "") {
        cseq += 1
        var text = "\(method) \(target ?? url) RTSP/1.0\r\nCSeq: \(cseq)\r\n"
        if let session, !headers.contains(where: { $0.hasPrefix("Session:") }) { text += "Session: \(session)\r\n" }
        for header in headers { text += header + "\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        send(text + "\r\n" + body)
    }

    func answer() throws -> RTSPResponse {
        while let event = try next() {
            if case .response(let response) = event { return response }
            events.append(event)
        }
        throw Failure.noAnswer
    }

    enum Failure: Error {
        case noAnswer
        case refused(Int)
    }

    /// How many frames came before the last answer.
    var framesBeforeAnswer: Int { events.count }

    @discardableResult
    func describe(_ target: String? = nil) throws -> DescribedStream {
        let response = try ask("DESCRIBE", target, ["Accept: application/sdp"])
        guard response.status.code == 200 else { throw Failure.refused(response.status.code) }
        sdp = response.body
        return try DescribedStream(sdp: Array(response.body.readableBytesView))
    }

    @discardableResult
    func setUp(_ media: Int, _ transport: String) throws -> RTSPResponse {
        let response = try ask("SETUP", "\(url)/trackID=\(media)", ["Transport: \(transport)"])
        if let header = RTSPSessionHeader(response.headers) { session = header.id }
        if let text = response.headers["Transport"], let channels = try RTSPTransport(text[...]).channels {
            self.channels[channels.rtp] = media
        }
        return response
    }

    /// DESCRIBE, SETUP of all or some medias over TCP, PLAY.
    @discardableResult
    func play(_ medias: [Int]? = nil) throws -> RTSPResponse {
        let described = try describe()
        for media in medias ?? Array(described.description.media.indices) {
            let response = try setUp(media, "RTP/AVP/TCP;unicast;interleaved=\(media * 2)-\(media * 2 + 1)")
            guard response.status.code == 200 else { throw Failure.refused(response.status.code) }
        }
        return try ask("PLAY")
    }

    /// ANNOUNCE, SETUP of all medias over TCP, RECORD. One of pictures, and one of sound if wanted.
    @discardableResult
    func record(sound: Bool = false) throws -> RTSPResponse {
        try announce(sound: sound)
        for media in 0..<(sound ? 2 : 1) {
            let response = try setUp(
                media,
                "RTP/AVP/TCP;unicast;interleaved=\(media * 2)-\(media * 2 + 1);mode=record"
            )
            guard response.status.code == 200 else { throw Failure.refused(response.status.code) }
        }
        return try ask("RECORD")
    }

    func announce(sound: Bool = false) throws {
        let body = Self.announcement(sound: sound)
        let response = try ask("ANNOUNCE", nil, ["Content-Type: application/sdp"], body: body)
        guard response.status.code == 200 else { throw Failure.refused(response.status.code) }
    }

    static func announcement(sound: Bool, payloadType: Int = 96) -> String {
        var text = """
            v=0\r
            o=- 0 0 IN IP4 127.0.0.1\r
            s=x\r
            t=0 0\r
            m=video 0 RTP/AVP \(payloadType)\r
            a=rtpmap:\(payloadType) H264/90000\r
            a=fmtp:\(payloadType) packetization-mode=1;sprop-parameter-sets=Z0LADdkBQfsBEAAAAwAQAAADAyDxQqSA,aMuDyyA=\r
            a=control:trackID=0\r

            """
        if sound { text += "m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n" }
        return text
    }

    func send(packet: [UInt8], channel: UInt8 = 0) {
        send([0x24, channel, UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)] + packet)
    }

    /// Reads media until the reader has seen what it is to see.
    func read(_ reader: inout RTSPPictureReader, until condition: (RTSPPictureReader) -> Bool) throws {
        while !condition(reader) {
            let event = events.isEmpty ? try next() : events.removeFirst()
            guard let event else {
                Issue.record("the stream ends, or stops: \(reader.numbers)")
                return
            }
            guard case .frame(let channel, let packet) = event else { continue }
            guard let media = channels[channel & ~1] ?? channels[channel] ?? channels[channel &- 1] else {
                Issue.record("a frame of channel \(channel)")
                continue
            }
            reader.receive(packet, media: media, isRTCP: channels[channel] == nil)
        }
    }

    func read(pictures count: Int) throws -> RTSPPictureReader {
        var reader = try RTSPPictureReader(sdp)
        try read(&reader) { $0.numbers.count >= count }
        return reader
    }
}

/// A publisher's packets.
struct RTSPPacketSource {
    var sequence: UInt16 = 100
    var ssrc: UInt32 = 0x1122_3344
    var payloadType: UInt8 = 96

    /// One picture in packets: one, or FU-A pieces of so many bytes.
    mutating func packets(_ number: Int, isKey: Bool, size: Int, piece: Int = 1200) -> [[UInt8]] {
        let unit = RTSPPictures.unit(number, isKey: isKey, size)
        let time = UInt32(number * 3600)
        guard unit.count > piece else { return [packet(time, marker: true, unit)] }
        var packets: [[UInt8]] = []
        var rest = unit.dropFirst()
        var isFirst = true
        while !rest.isEmpty {
            let part = rest.prefix(piece)
            rest = rest.dropFirst(piece)
            let head = (isFirst ? 0x80 : 0) | (rest.isEmpty ? 0x40 : 0) | unit[0] & 0x1F
            packets.append(packet(time, marker: rest.isEmpty, [unit[0] & 0x60 | 28, head] + part))
            isFirst = false
        }
        return packets
    }

    mutating func packet(_ time: UInt32, marker: Bool, _ payload: [UInt8]) -> [UInt8] {
        defer { sequence &+= 1 }
        var bytes: [UInt8] = [0x80, payloadType | (marker ? 0x80 : 0), UInt8(sequence >> 8), UInt8(sequence & 0xFF)]
        for word in [time, ssrc] { for shift in [24, 16, 8, 0] { bytes.append(UInt8(word >> UInt32(shift) & 0xFF)) } }
        return bytes + payload
    }
}

import CameraSimulator
import Gateway
import Media
import NIOCore
import Testing

/// The way of a picture: registered with a password, invited over the API, watched with another's player.
@Suite(.timeLimit(.minutes(1)))
struct PictureTests {
    private static func cameras() throws -> [CameraConfiguration] {
        try CameraConfiguration.load(folder: Project.cameras)
    }

    /// Whether these are pictures of the clip in its order, which goes round and round, from a key frame on.
    private static func expectCycle(_ seen: [String], of clip: [String], atLeast count: Int) {
        #expect(seen.count >= count)
        guard let first = seen.first, let start = clip.firstIndex(of: first) else {
            Issue.record("the first of \(seen.count) pictures is none of the clip's \(clip.count)")
            return
        }
        let wrong = seen.indices.first { seen[$0] != clip[(start + $0) % clip.count] }
        #expect(wrong == nil, "picture \(wrong ?? 0) of \(seen.count) is not the clip's next")
    }

    /// What the gate's camera sends, and how it may be asked to.
    enum Way: CaseIterable, Sendable {
        case udp, tcpPassive, tcpActive, singlePortUDP, singlePortTCP

        var flag: Int {
            switch self {
            case .udp, .singlePortUDP: 0
            case .tcpPassive, .singlePortTCP: 1
            case .tcpActive: 2
            }
        }

        var isSinglePort: Bool { self == .singlePortUDP || self == .singlePortTCP }
    }

    @Test(.enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"), arguments: Way.allCases)
    func showsTheClipBitExactOverHTTPAndRTMP(way: Way) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let clip = try await ffmpeg.pictures(["-i", Project.gateClip]).pictures
        #expect(clip.count == 100)
        let single = way.isSinglePort ? try await freePort() : 0
        try await Site.run(password: Site.password) {
            $0.gb28181.rtpSinglePort = single
        } _: { site in
            try await site.withCameras(try Self.cameras().filter { $0.transport == .udp }) { _ in
                let answer = try await site.api.invite(
                    "34020000001320000001",
                    "34020000001310000001",
                    stream: "gate",
                    tcp: way.flag
                )
                #expect(answer.code == 0, "\(answer.text)")
                #expect(answer.string("stream_name") == "gate")
                if single != 0 { #expect(answer.integer("port") == single) }
                let http = "http://127.0.0.1:\(site.http)/live/gate.flv"
                let rtmp = "rtmp://127.0.0.1:\(site.rtmp)/live/gate"
                async let first = ffmpeg.pictures(["-i", http], seconds: way == .udp ? 10 : 2)
                async let second = ffmpeg.pictures(["-i", rtmp], seconds: 2)
                for (output, count) in [(try await first, way == .udp ? 245 : 45), (try await second, 45)] {
                    #expect(output.status == 0)
                    #expect(output.errors == "", "no decoder may complain")
                    Self.expectCycle(output.pictures, of: clip, atLeast: count)
                }
                let stat = try await site.api.group("gate")
                #expect(stat.string("video_codec") == "H264")
                #expect(stat.string("audio_codec") == "PCMA")
                #expect(stat.text.contains(#""lost":0"#), "\(stat.text)")
            }
        }
    }

    /// Debian's ffmpeg reads no H.265 in FLV: what came is unpacked here and decoded by it as a byte stream.
    @Test(.enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"), arguments: [0, 1, 2])
    func showsTheH265ClipBitExact(flag: Int) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let clip = try await ffmpeg.pictures(["-f", "hevc", "-i", Project.yardClip]).pictures
        try await Site.run(password: Site.password) { site in
            try await site.withCameras(try Self.cameras().filter { $0.transport == .tcp }) { _ in
                let camera = try #require(try Self.cameras().first { $0.transport == .tcp })
                let answer = try await site.api.invite(camera.id, camera.channels[0].id, stream: "yard", tcp: flag)
                #expect(answer.code == 0, "\(answer.text)")
                let folder = try TemporaryFolder()
                for target in ["/live/yard.flv", "/live/yard.flv?hevc=enhanced"] {
                    let bytes = try await limited(.seconds(10), "50 pictures of \(target)") {
                        try await Self.annexB(target, port: site.http, pictures: 50)
                    }
                    let file = "\(folder.path)/yard.h265"
                    try bytes.write(toFile: file)
                    let output = try await ffmpeg.pictures(["-f", "hevc", "-i", file])
                    #expect(output.errors == "")
                    Self.expectCycle(output.pictures, of: clip, atLeast: 50)
                }
                let stat = try await site.api.group("yard")
                #expect(stat.string("video_codec") == "H265")
                #expect(stat.string("audio_codec") == "AAC")
            }
        }
    }

    @Test(.enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"))
    func showsEnhancedH265ToARecentPlayer() async throws {
        let ffmpeg = try #require(FFmpeg.recent)
        let clip = try await ffmpeg.pictures(["-f", "hevc", "-i", Project.yardClip]).pictures
        try await Site.run(password: Site.password) { site in
            try await site.withCameras(try Self.cameras().filter { $0.transport == .tcp }) { _ in
                let camera = try #require(try Self.cameras().first { $0.transport == .tcp })
                _ = try await site.api.invite(camera.id, camera.channels[0].id, stream: "yard", tcp: 1)
                for input in [
                    "http://127.0.0.1:\(site.http)/live/yard.flv?hevc=enhanced",
                    "rtmp://127.0.0.1:\(site.rtmp)/live/yard",
                ] {
                    let output = try await ffmpeg.pictures(["-i", input], seconds: 3)
                    #expect(output.status == 0)
                    #expect(output.errors == "", "\(input)")
                    Self.expectCycle(output.pictures, of: clip, atLeast: 60)
                }
            }
        }
    }

    @Test("R-45: the first frame of a late viewer is a key frame behind its parameter sets, over HTTP and WebSocket")
    func startsWithAKeyFrame() async throws {
        try await Site.run(password: Site.password) { site in
            try await site.withCameras(try Self.cameras().filter { $0.transport == .udp }) { _ in
                _ = try await site.api.invite("34020000001320000001", "34020000001310000001", stream: "gate")
                try await wait(for: "the stream's second second") {
                    try await site.api.group("gate").text.contains(#""v":2"#)
                }
                for isWebSocket in [false, true] {
                    let asked = ContinuousClock.now
                    let messages = try await limited(.seconds(5), "ten messages") {
                        try await Self.messages(10, isWebSocket: isWebSocket, port: site.http)
                    }
                    print(
                        "first messages of a late viewer (WebSocket \(isWebSocket)) came in \(ContinuousClock.now - asked)"
                    )
                    let video = messages.filter { $0.kind == .video }
                    #expect(video.first?.isSequenceHeader == true)
                    #expect(video.dropFirst().first?.isKey == true)
                }
            }
        }
    }

    private static func messages(_ count: Int, isWebSocket: Bool, port: Int) async throws -> [FLVMessage] {
        var reader = FLVTagReader()
        var tags = ByteBuffer()
        var messages: [FLVMessage] = []
        func take() throws {
            while let message = try reader.next(from: &tags) { messages.append(message) }
        }
        if isWebSocket {
            var socket = try await WebSocketStream.get("/live/gate.flv", port: port)
            #expect(socket.isAccepted)
            while messages.count < count, var frame = try await socket.next() {
                tags.writeBuffer(&frame)
                try take()
            }
            await socket.stream.connection.close()
        } else {
            var stream = try await HTTPStream.get("/live/gate.flv", port: port)
            #expect(stream.head.hasPrefix("HTTP/1.1 200 "))
            #expect(stream.head.lowercased().contains("content-type: video/x-flv"))
            while true {
                tags.writeBuffer(&stream.bytes)
                try take()
                guard messages.count < count, await stream.more() else { break }
            }
            await stream.connection.close()
        }
        return messages
    }

    /// The pictures of an FLV stream as an H.265 byte stream.
    private static func annexB(_ target: String, port: Int, pictures: Int) async throws -> [UInt8] {
        var stream = try await HTTPStream.get(target, port: port)
        var reader = FLVTagReader()
        var unpackager = FLVUnpackager()
        var bytes: [UInt8] = []
        var count = 0
        while count < pictures {
            while count < pictures, let message = try reader.next(from: &stream.bytes) {
                var events: [MediaEvent] = []
                unpackager.receive(message, into: &events)
                for event in events {
                    switch event {
                    case .video(let parameters):
                        for unit in parameters.vps + parameters.sps + parameters.pps { bytes += [0, 0, 0, 1] + unit }
                    case .frame(let frame) where frame.track == .video:
                        var payload = frame.payload
                        while let unit = payload.readLengthPrefixedSlice(as: UInt32.self) {
                            bytes += [0, 0, 0, 1] + Array(unit.readableBytesView)
                        }
                        count += 1
                    default: break
                    }
                }
            }
            guard count < pictures, await stream.more() else { break }
        }
        await stream.connection.close()
        return bytes
    }
}

import Foundation
import Gateway
import Media
import NIOCore
import Testing

@testable import Streaming

/// What encoders and players say that cannot run here: their commands, in their order, with their values.
@Suite(
    .timeLimit(.minutes(1)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct EncoderTests {
    private static let clip = MatrixClip(video: .h264B, audio: .aac)

    /// OBS Studio 30: librtmp's commands, Enhanced RTMP's list in connect, a long onMetaData, sound's header before the picture's.
    @Test func acceptsOBS() async throws {
        let made = try await Self.clip.made()
        try await Site.run { site in
            let watcher = Watcher("key", port: site.http)
            try await wait(for: "the viewer") { try await site.viewers(of: "key").count == 1 }
            try await RTMPPeer.with(port: site.rtmp, opens: false) { peer in
                try await peer.setChunkSize(4096)
                try await peer.call(
                    "connect",
                    1,
                    answered: true,
                    .object([
                        AMF0Property("app", .string("live")), AMF0Property("type", .string("nonprivate")),
                        AMF0Property("flashVer", .string("FMLE/3.0 (compatible; FMSc/1.0)")),
                        AMF0Property("swfUrl", .string("rtmp://127.0.0.1/live")),
                        AMF0Property("tcUrl", .string("rtmp://127.0.0.1/live")),
                        AMF0Property(
                            "fourCcList",
                            .strictArray([.string("av01"), .string("hvc1"), .string("vp09")])
                        ),
                    ])
                )
                try await peer.call("releaseStream", 2, answered: false, .null, .string("key"))
                try await peer.call("FCPublish", 3, answered: false, .null, .string("key"))
                try await peer.call("createStream", 4, answered: true, .null)
                try await peer.call("publish", 5, answered: false, .null, .string("key"), .string("live"))
                #expect(try await peer.status() == "NetStream.Publish.Start")
                try await peer.send(.dataAMF0, Self.metadata)
                let messages = try MatrixPublisher.messages(of: made.path).filter { $0.kind != .script }
                let headers = messages.filter(\.isSequenceHeader).sorted { $0.kind.rawValue < $1.kind.rawValue }
                try await peer.stream(headers + messages.filter { !$0.isSequenceHeader })
                try await wait(for: "the pictures") { watcher.seen.pictures == 75 }
                let group = try await site.api.group("key")
                #expect(group.string("video_codec") == "H264")
                #expect(group.string("audio_codec") == "AAC")
                #expect(group.integer("video_width") == 320)
                try await peer.call("FCUnpublish", 6, answered: false, .null, .string("key"))
                try await peer.call("deleteStream", 7, answered: false, .null, .number(1))
                try await wait(for: "the end of the input") { try await site.input(of: "key") == nil }
            }
            #expect(watcher.seen.faults == [])
            #expect(watcher.seen.videoHeaders == 1)
            watcher.leave()
        }
    }

    private static var metadata: ByteBuffer {
        let numbers: [(String, Double)] = [
            ("duration", 0), ("fileSize", 0), ("width", 320), ("height", 240), ("videocodecid", 7),
            ("videodatarate", 2500),
            ("framerate", 25), ("audiocodecid", 10), ("audiodatarate", 160), ("audiosamplerate", 44100),
            ("audiosamplesize", 16), ("audiochannels", 1),
        ]
        let flags = ["stereo", "2.1", "3.1", "4.0", "4.1", "5.1", "7.1"]
        var buffer = ByteBuffer()
        AMF0Value.string("@setDataFrame").write(into: &buffer)
        AMF0Value.string("onMetaData").write(into: &buffer)
        let properties =
            numbers.map { AMF0Property($0, .number($1)) } + flags.map { AMF0Property($0, .boolean(false)) }
            + [AMF0Property("encoder", .string("obs-output module (libobs version 30.2.3)"))]
        AMF0Value.ecmaArray(properties).write(into: &buffer)
        return buffer
    }

    /// lal 0.37.4's own clients, as its relays push and pull.
    @Test func servesTheClientsOfLal() async throws {
        let made = try await Self.clip.made()
        try await Site.run { site in
            @Sendable func begin(_ peer: RTMPPeer, flash: String) async throws {
                try await peer.setChunkSize(4096)
                try await peer.call(
                    "connect",
                    1,
                    answered: true,
                    .object([
                        AMF0Property("app", .string("live")), AMF0Property("type", .string("nonprivate")),
                        AMF0Property("flashVer", .string(flash)), AMF0Property("fpad", .boolean(false)),
                        AMF0Property("tcUrl", .string("rtmp://127.0.0.1/live")),
                    ])
                )
                try await peer.call("createStream", 2, answered: true, .null)
            }
            let port = site.rtmp
            let player = Task {
                try await RTMPPeer.with(port: port, opens: false) { peer in
                    try await begin(peer, flash: "LNX 9,0,124,2")
                    try await peer.call("play", 3, answered: false, .null, .string("m"))
                    #expect(try await peer.status() == "NetStream.Play.Start")
                    return try await peer.media(100)
                }
            }
            try await wait(for: "the viewer") { try await site.viewers(of: "m").count == 1 }
            try await RTMPPeer.with(port: port, opens: false) { peer in
                try await begin(peer, flash: "FMLE/3.0 (compatible; lal0.37.4)")
                try await peer.call("publish", 3, answered: false, .null, .string("m"), .string("live"))
                #expect(try await peer.status() == "NetStream.Publish.Start")
                try await peer.stream(MatrixPublisher.messages(of: made.path))
                try await wait(for: "the stream") {
                    try await site.api.group("m").string("video_codec") == "H264"
                }
            }
            let messages = try await limited(.seconds(10), "100 messages") { try await player.value }
            #expect(messages.count == 100)
            #expect(messages.first { $0.kind == .video }?.isSequenceHeader == true)
        }
    }
}

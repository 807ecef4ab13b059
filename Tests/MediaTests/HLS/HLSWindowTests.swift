import NIOCore
import Testing

@testable import Media

@Suite("HLS: playlists and what they name")
struct HLSWindowTests {
    private static func run(
        _ container: HLSConfiguration.Container,
        seconds: Double,
        stream: String = "test110",
        number: Int = 6,
        threshold: Int = 6
    ) -> HLSRun {
        var run = HLSRun(
            HLSConfiguration(container: container, fragmentNumber: number, deleteThreshold: threshold),
            stream: stream
        )
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: seconds, &run)
        return run
    }

    @Test("lal's live playlist, byte for byte")
    func lal() {
        let run = Self.run(.transportStream, seconds: 4.1)
        #expect(
            run.playlist() == """
                #EXTM3U
                #EXT-X-VERSION:3
                #EXT-X-ALLOW-CACHE:NO
                #EXT-X-TARGETDURATION:4
                #EXT-X-MEDIA-SEQUENCE:0

                #EXT-X-DISCONTINUITY
                #EXTINF:4.000,
                test110-1795228433288-0.ts

                """
        )
    }

    @Test("lal's list ends with ENDLIST; six segments are listed")
    func lalEnd() {
        var run = Self.run(.transportStream, seconds: 40)
        run.finish()
        let list = HLSParsedPlaylist(run.playlist() ?? "")
        #expect(list.segments.count == 6 && list.sequence == 4 && list.hasEnded)
        #expect(list.discontinuitySequence == 1)
    }

    @Test("record.m3u8: everything, without ALLOW-CACHE, appended in place")
    func record() {
        var run = Self.run(.transportStream, seconds: 40)
        run.finish()
        var record = HLSRecord()
        var file = ByteBuffer()
        for (opening, closing) in zip(run.openings, run.closings) {
            switch record.append(opening, closing, targetSeconds: 4) {
            case .rewrite(let bytes): file = bytes
            case .write(let bytes, let at):
                file.setBuffer(bytes, at: at)
                file.moveWriterIndex(to: at + bytes.readableBytes)
            case nil: Issue.record("full")
            }
        }
        #expect(file == record.playlist())
        let text = String(buffer: file)
        #expect(
            text.hasPrefix(
                """
                #EXTM3U
                #EXT-X-VERSION:3
                #EXT-X-TARGETDURATION:4
                #EXT-X-MEDIA-SEQUENCE:0

                #EXT-X-DISCONTINUITY
                #EXTINF:4.000,
                test110-1795228433288-0.ts
                #EXTINF:4.000,
                test110-
                """
            )
        )
        #expect(text.hasSuffix("-9.ts\n#EXT-X-ENDLIST\n"))
        #expect(HLSParsedPlaylist(text).segments.count == 10)
        #expect(String(buffer: record.playlist(query: "a=1")).contains("-9.ts?a=1\n"))
    }

    @Test("A later publication with longer segments rewrites the head of the record")
    func recordGrows() {
        var record = HLSRecord()
        let opening = HLSOpening(number: 0, name: "a-1-0.ts", wallClock: 1, isDiscontinuous: true, isIndependent: true)
        var closing = HLSClosing(number: 0, name: "a-1-0.ts", duration: 360_000, bytes: ByteBuffer())
        _ = record.append(opening, closing, targetSeconds: 4)
        closing.duration = 900_000
        guard case .rewrite(let bytes) = record.append(opening, closing, targetSeconds: 10) else {
            Issue.record("not rewritten")
            return
        }
        #expect(String(buffer: bytes).contains("TARGETDURATION:10\n"))
    }

    @Test("The Low-Latency playlist")
    func lowLatency() {
        let run = Self.run(.fragmentedMP4, seconds: 8.3)
        let text = run.playlist() ?? ""
        #expect(
            text.hasPrefix(
                """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-TARGETDURATION:4
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12.0,PART-HOLD-BACK=0.645
                #EXT-X-PART-INF:PART-TARGET=0.215
                #EXT-X-MEDIA-SEQUENCE:0
                #EXT-X-DISCONTINUITY
                #EXT-X-MAP:URI="x7f3-init-0.mp4"
                #EXT-X-PROGRAM-DATE-TIME:2026-11-21T02:33:53.288Z
                #EXT-X-PART:DURATION=0.20000,URI="x7f3-0-0.m4s",INDEPENDENT=YES
                #EXT-X-PART:DURATION=0.20000,URI="x7f3-0-1.m4s"

                """
            ),
            "\(text)"
        )
        #expect(
            text.hasSuffix(
                """
                #EXTINF:4.00000,
                x7f3-1.m4s
                #EXT-X-PROGRAM-DATE-TIME:2026-11-21T02:34:01.288Z
                #EXT-X-PART:DURATION=0.20000,URI="x7f3-2-0.m4s",INDEPENDENT=YES
                #EXT-X-PRELOAD-HINT:TYPE=PART,URI="x7f3-2-1.m4s"

                """
            ),
            "\(text)"
        )
    }

    @Test("A delta update skips what is older than six target durations")
    func delta() throws {
        let run = Self.run(.fragmentedMP4, seconds: 80.7, number: 15)
        let full = HLSParsedPlaylist(try #require(run.playlist()))
        let delta = HLSParsedPlaylist(try #require(run.playlist(HLSDirectives(skips: true))))
        #expect(full.segments.count == 15 && full.skipped == 0)
        // 60 s are listed, 24 must stay.
        #expect(delta.skipped == 9 && delta.segments.count == 6)
        #expect(delta.sequence == full.sequence && delta.version >= 9)
        #expect(delta.segments.map(\.number) == full.segments.suffix(6).map(\.number))
        #expect(delta.segments.map(\.uri) == full.segments.suffix(6).map(\.uri))
        #expect(delta.hint == full.hint)
        #expect(delta.segments.first?.map != nil)
    }

    @Test("Parts are listed for three target durations, and no longer")
    func partsLeave() throws {
        let run = Self.run(.fragmentedMP4, seconds: 40.1)
        let list = HLSParsedPlaylist(try #require(run.playlist()))
        #expect(list.segments.map { $0.parts.isEmpty } == [true, true, true, false, false, false])
    }

    @Test("The multivariant playlist")
    func multivariant() {
        let run = Self.run(.fragmentedMP4, seconds: 20)
        let text = String(buffer: run.window.multivariantPlaylist(query: "token=a"))
        let lines = text.split(separator: "\n")
        #expect(lines.count == 5 && lines[0] == "#EXTM3U" && lines[1] == "#EXT-X-VERSION:9")
        #expect(lines[2] == "#EXT-X-INDEPENDENT-SEGMENTS")
        #expect(lines[3].hasPrefix("#EXT-X-STREAM-INF:BANDWIDTH="))
        #expect(
            lines[3].hasSuffix(",CODECS=\"avc1.42C00D,mp4a.40.2\",RESOLUTION=352x288,FRAME-RATE=25.000"),
            "\(lines[3])"
        )
        #expect(lines[4] == "ll.m3u8?token=a")
        let rates = lines[3].split(separator: ",").compactMap { $0.split(separator: "=").last.flatMap { Int($0) } }
        #expect(rates.count >= 2 && rates[0] >= rates[1] && rates[1] > 10_000, "\(rates)")
    }

    @Test("A stream with segments that begin without key frame promises no independent ones")
    func dependent() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera(group: 1000)
        camera.announce(&run)
        camera.run(seconds: 50, &run)
        #expect(!(run.playlist() ?? "").contains("INDEPENDENT-SEGMENTS"))
        #expect(!String(buffer: run.window.multivariantPlaylist()).contains("INDEPENDENT-SEGMENTS"))
    }

    @Test("Reports of other renditions, only when there are any")
    func reports() {
        var run = Self.run(.fragmentedMP4, seconds: 10)
        #expect(!(run.playlist() ?? "").contains("RENDITION-REPORT"))
        run.window.siblings = [HLSRenditionReport(uri: "../sub/ll.m3u8", lastSegment: 7, lastPart: 2)]
        let line = "#EXT-X-RENDITION-REPORT:URI=\"../sub/ll.m3u8\",LAST-MSN=7,LAST-PART=2\n"
        #expect((run.playlist() ?? "").hasSuffix(line))
        #expect((run.playlist(query: "t=1") ?? "").contains("URI=\"../sub/ll.m3u8?t=1\""))
    }

    @Test("What left the playlist is there for three target durations, then only as many as are to be kept")
    func retention() {
        for threshold in [0, 3] {
            var run = Self.run(.transportStream, seconds: 60, threshold: threshold)
            let first = HLSParsedPlaylist(run.playlist() ?? "").sequence
            let names = run.openings.map(\.name)
            let present = names.indices.filter {
                !run.window.media(names[$0], arrived: run.now, now: run.now).isRefusal(404)
            }
            // The open one has no bytes for anybody; 12 s are three segments of 4 s.
            #expect(present.first == first - max(threshold, 3), "\(present) \(first)")
            run.finish()
        }
    }

    @Test("Names that could break a playlist or a path are escaped")
    func escaping() {
        for stream in ["a b", "#1", "x:y", "摄像头", "q?x=1", "100%", "a\"b", "it's-7-8"] {
            let run = Self.run(.transportStream, seconds: 9, stream: stream)
            let list = HLSParsedPlaylist(run.playlist() ?? "")
            #expect(list.segments.count == 2 && list.unknown.isEmpty)
            let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%")
            #expect(list.segments.allSatisfy { $0.uri.allSatisfy(allowed.contains) })
            // The name itself is not escaped: it is looked up decoded.
            #expect(run.openings.first?.name.hasPrefix(stream) == true)
        }
    }

    @Test("The query goes behind every URI")
    func query() {
        for container in HLSLiveTests.containers {
            let run = Self.run(container, seconds: 20.5)
            let plain = run.playlist() ?? ""
            let text = run.playlist(query: "session_id=0f76&t=1") ?? ""
            let suffix = "?session_id=0f76&t=1"
            #expect(text.replacing(suffix, with: "") == plain)
            let uris = plain.split(separator: "\n").filter { !$0.hasPrefix("#") || $0.contains("URI=") }.count
            #expect(text.ranges(of: suffix).count == uris)
        }
    }

    @Test("Times of day follow the frames, and the camera's clock is followed slowly")
    func drift() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        for _ in 0..<100 {
            camera.run(seconds: 4, &run)
            // The camera is 250 ppm slow.
            run.pass(1)
        }
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        let late = run.wallClock - (run.openings.last?.wallClock ?? 0)
        #expect((0...4100).contains(late), "\(late)")
    }

    @Test(
        "Dates",
        arguments: [
            (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (1_795_228_433_288, "2026-11-21T02:33:53.288Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (.max, "9999-12-31T23:59:59.999Z"), (-5, "1970-01-01T00:00:00.000Z"),
        ]
    )
    func dates(milliseconds: Int64, text: String) { #expect(HLSDate.text(milliseconds) == text) }

    @Test(
        "Seconds are decimals",
        arguments: [
            (Int64(360_000), 3, "4.000"), (1, 5, "0.00001"), (89_999, 3, "1.000"), (3003, 5, "0.03337"),
            (-9, 3, "0.000"),
        ]
    )
    func decimals(time: Int64, digits: Int, text: String) { #expect(HLSDecimal.seconds(time, digits: digits) == text) }
}

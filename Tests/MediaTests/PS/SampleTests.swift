import NIOCore
import Testing

@testable import Media

/// Captures of other projects, with the counts that their own tests and README state.
@Suite(.enabled(if: Samples.isPresent, "shared/samples is absent"))
struct SampleTests {
    @Test func readsHikvisionH264WithAAC() throws {
        let packets = try Samples.packets("rtp/srs_hik_640x480_h264_aac.rfc4571")
        #expect(packets.count == 14)
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(packets)
        let statistics = ingest.statistics
        #expect(statistics.order == .init())
        #expect(statistics.demux.resynchronisations == 0)
        #expect(statistics.demux.skippedBytes == 0)
        #expect(got.parameters.first?.codec == .h264)
        // Its parts by the capture's own count: SPS, PPS and SEI; the IDR; two of audio; a P picture.
        #expect(got.pictures.map(\.isKey) == [true, false])
        #expect(got.sounds.count == 2)
        #expect(got.parameters.first?.width == 640)
        #expect(statistics.audioCodec == .aac)
    }

    @Test("R-24 a picture of more than 64 KB, and BD split over two packets")
    func readsHikvisionSplitKeyFrame() throws {
        let packets = try Samples.packets("rtp/srs_hik_2560x1440_split_iframe.rfc4571")
        #expect(packets.count == 102)
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(packets)
        let statistics = ingest.statistics
        #expect(statistics.order == .init())
        #expect(statistics.demux.resynchronisations == 0)
        #expect(statistics.demux.skippedBytes == 0)
        #expect(statistics.demux.extendedPackets == 0)
        #expect(got.pictures.count == 1)
        #expect(got.pictures.first.map { $0.payload.readableBytes > 2 * 65_000 } == true)
    }

    @Test func namesTheGapOfLalsCapture() throws {
        let packets = try Samples.packets("rtp/lal_hik_h264_10pkts.rfc4571")
        #expect(packets.count == 10)
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(packets)
        let statistics = ingest.statistics
        #expect(statistics.order.gaps == 1)
        #expect(statistics.order.lost == 282)
        // Before the gap there is no key frame, and after it only its beginning.
        #expect(got.pictures.isEmpty)
        #expect(statistics.videoCodec == .h264)
    }

    @Test func givesTheSameAtEverySplit() throws {
        for name in ["srs_hik_640x480_h264_aac", "srs_hik_2560x1440_split_iframe"] {
            let packets = try Samples.packets("rtp/\(name).rfc4571")
            let bytes = packets.flatMap { packet in
                packet.withSpan { RTPPacket($0) }.map { Array(packet[$0.payload]) } ?? []
            }
            let whole = demux(bytes)
            let step = bytes.count > 20_000 ? 97 : 1
            for split in stride(from: 0, to: bytes.count, by: step) {
                #expect(demux(bytes, cuts: [split]) == whole, "\(name) split at \(split)")
            }
            #expect(demux(bytes, cuts: Array(1..<bytes.count)) == whole, "\(name) byte by byte")
        }
    }

    @Test func readsOneAACPacketAndTheSameBehindLeftOverBytes() throws {
        for name in ["srs_PsPacketDecodeRegularMessage", "srs_PsPacketDecodeRegularMessage2"] {
            var ingest = RTPIngest(configuration: .init())
            let packet = try Samples.bytes("ps/\(name).bin")
            #expect(packet.withSpan { RTPPacket($0) } != nil)
            _ = ingest.feed([packet])
            // Alone it is no sign of a program stream yet.
            #expect(ingest.statistics.packets == 1)
            let payload = Array(packet[12...])
            let out = demux(payload)
            #expect(out.sounds.count == 1, "\(name)")
            #expect(demux([1, 2, 3, 4] + payload).sounds.count == 1)
        }
    }

    @Test func skipsAPrivateStreamWholeAndSplit() throws {
        let whole = try Samples.bytes("ps/srs_PsPacketDecodePrivateStream.bin")
        let split = try Samples.bytes("ps/srs_bd_split_0.bin") + Samples.bytes("ps/srs_bd_split_1.bin")
        for bytes in [whole, split] {
            #expect(demux(bytes).isEmpty)
            // What follows is read.
            var muxer = PSMuxer()
            var stream: [UInt8] = []
            for event in Synthetic.stream(pictures: 2, interval: 1, keySize: 300) { muxer.mux(event, into: &stream) }
            for cut in 0...bytes.count { #expect(demux(bytes + stream, cuts: [cut]).pictures.count == 2) }
        }
    }

    @Test func readsMapsAsCamerasWriteThem() throws {
        func map(_ name: String) throws -> ProgramStreamMap? {
            let bytes = try Samples.bytes("ps/\(name).bin")
            let at = try #require(bytes.firstOffset(of: [0, 0, 1, 0xBC]))
            return Array(bytes[at...]).withSpan { ProgramStreamMap($0) }
        }
        let video264 = ProgramStreamMap.Entry(streamID: 0xE0, type: .video(.h264))
        let g711a = ProgramStreamMap.Entry(streamID: 0xC0, type: .audio(.g711a))
        #expect(try map("vec_pack_sys_psm_pes_ptsdts_720p")?.entries == [video264, g711a])
        #expect(try map("vec_pack_sys6_psm_pes_ptsdts")?.entries == [video264])
        #expect(try map("vec_doc_pack_sys_psm_h264_g711a")?.entries == [video264, g711a])
        let hik = try map("vec_hik_h265_pack_psm_nosys")
        #expect(hik?.entries.first == ProgramStreamMap.Entry(streamID: 0xE0, type: .video(.h265)))
    }

    @Test func readsTheSizeOfA720pCamera() throws {
        let bytes = try Samples.bytes("ps/vec_pack_sys_psm_pes_ptsdts_720p.bin")
        // The picture is cut: its length promises more.
        let padded = bytes + [UInt8](repeating: 0x55, count: 0x2E3C)
        let out = demux(padded + [0, 0, 1, 0xB9])
        #expect(out.parameters.first?.width == 1280)
        #expect(out.parameters.first?.height == 720)
        #expect(out.pictures.count == 1)
    }

    @Test func survivesCutVectors() throws {
        for name in [
            "vec_doc_pack_sys_psm_h264_g711a", "vec_hik_h265_pack_psm_nosys", "vec_pack_sys6_psm_pes_ptsdts",
            "vec_pack_sys_psm_pes_ptsdts_720p", "srs_PsPacketDecodeRegularMessage3",
        ] {
            let bytes = try Samples.bytes("ps/\(name).bin")
            for length in 0...bytes.count { _ = demux(Array(bytes.prefix(length))) }
        }
    }
}

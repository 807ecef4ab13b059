import Media
import NIOCore

/// Input: a byte of options, then frames: track and key flags, a step of time, a length in two bytes, the payload. They go through
/// every muxer that is made of frames, and through the segmenter and window of HLS.
func fuzzFrameMuxer(_ bytes: [UInt8]) {
    guard bytes.count > 2 else { return }
    let options = bytes[0]
    let videos: [VideoCodec] = [.h264, .h265, .av1, .vp9]
    let sounds: [AudioCodec] = [.aac, .g711a, .g711u, .opus, .mp3]
    let codec = videos[Int(options & 3)]
    let video = VideoParameters(
        codec: codec,
        vps: [[0x40, 1, bytes[1]]],
        sps: [[0x67, 66, 0, 30, bytes[1]]],
        pps: [[0x68, bytes[1]]],
        record: [0x81, bytes[1], 0x0C, 0],
        width: Int(bytes[1]) * 16,
        height: 240
    )
    let audio = AudioParameters(
        codec: sounds[Int(options >> 2) % sounds.count],
        sampleRate: options & 32 == 0 ? 8000 : Int(bytes[1]) * 300,
        channels: Int(options >> 6),
        configuration: [bytes[1], options]
    )
    var ts = TSMuxer()
    var buffer = ByteBuffer()
    let description = FMP4Description(video: video, audio: audio)
    description?.writeInit(into: &buffer)
    var frames = description.map { FMP4FrameMuxer($0) }
    var parts = description.map { FMP4PartMuxer($0) }
    let names = HLSNames(stream: "s", prefix: "p")
    var segmenters = [HLSConfiguration.Container.transportStream, .fragmentedMP4].map {
        let configuration = HLSConfiguration(container: $0, fragmentMilliseconds: 500, maximumBytes: 1 << 20)
        return (HLSSegmenter(configuration, names: names), HLSWindow(configuration, names: names))
    }
    var now: UInt64 = 1_000_000_000
    func feed(_ event: MediaEvent, startsGOP: Bool) {
        buffer.clear()
        ts.mux(event, startsSegment: startsGOP, into: &buffer)
        precondition(buffer.readableBytes % 188 == 0)
        if case .frame(let frame) = event {
            buffer.clear()
            frames?.mux(frame, into: &buffer)
            parts?.append(frame)
            if startsGOP || parts?.samples ?? 0 > 50 { _ = parts?.finishPart(nextVideoDTS: frame.dts, into: &buffer) }
        }
        for index in segmenters.indices {
            var actions: [HLSAction] = []
            segmenters[index].0.receive(event, startsGOP: startsGOP, wallClock: Int64(now / 1_000_000), into: &actions)
            segmenters[index].1.apply(actions, now: .uptimeNanoseconds(now))
            precondition(segmenters[index].1.byteCount >= 0)
        }
    }
    feed(.video(video), startsGOP: false)
    feed(.audio(audio), startsGOP: false)
    var time: Int64 = options & 16 == 0 ? 0 : -90_000
    var at = 2
    while at + 4 <= bytes.count {
        let flags = bytes[at]
        let step = Int64(Int8(bitPattern: bytes[at + 1]))
        // Sometimes far: clocks jump.
        time &+= flags & 64 == 0 ? step &* 90 : step &* step &* step &* 9000
        let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
        at += 4
        let end = min(at + length, bytes.count)
        var payload = ByteBuffer(bytes: bytes[at..<end])
        if end - at < length, flags & 32 != 0 { payload.writeRepeatingByte(flags, count: length - (end - at)) }
        at = end
        let isKey = flags & 2 != 0
        let frame = Frame(
            track: flags & 1 == 0 ? .video : .audio,
            dts: time,
            pts: time &+ Int64(flags & 12) &* 900,
            isKey: isKey,
            payload: payload
        )
        now += UInt64(flags) * 1_000_000
        feed(.frame(frame), startsGOP: isKey && frame.track == .video)
    }
    buffer.clear()
    ts.flush(into: &buffer)
    _ = parts?.finishPart(nextVideoDTS: nil, into: &buffer)
    for index in segmenters.indices {
        var actions: [HLSAction] = []
        segmenters[index].0.finish(into: &actions)
        segmenters[index].1.apply(actions, now: .uptimeNanoseconds(now))
        segmenters[index].1.end()
        let deadline = NIODeadline.uptimeNanoseconds(now)
        let directives = HLSDirectives(segment: Int(bytes[1]), part: Int(options), skips: true)
        _ = segmenters[index].1.answer(directives, query: "a=1", arrived: deadline, now: deadline)
        _ = segmenters[index].1.media("p-\(bytes[1])-\(options).m4s", arrived: deadline, now: deadline)
    }
}

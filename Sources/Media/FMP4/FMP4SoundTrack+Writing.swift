import NIOCore

/// The way of what is ready into fragments.
extension FMP4SoundTrack {
    /// Where the first sample begins, in 1/90000 s; nil when there is none.
    var start: Int64? { samples.first.map { time($0.start) } }

    /// From the first sample to the end of the last, in 1/90000 s.
    var duration: Int64 {
        guard let first = samples.first, let last = samples.last else { return 0 }
        return time(last.start &+ last.duration) &- time(first.start)
    }

    /// Forgets the samples that were written.
    mutating func clear() {
        samples.removeAll(keepingCapacity: true)
        bytes.clear()
    }

    /// Appends a fragment of each sample that is ready, and forgets them.
    mutating func writeFragments(sequence: inout UInt32, into buffer: inout ByteBuffer) {
        guard !samples.isEmpty else { return }
        writeSamples(sequence: &sequence, into: &buffer)
        clear()
    }

    private func writeSamples(sequence: inout UInt32, into buffer: inout ByteBuffer) {
        let length = FMP4Fragment.headLength &+ FMP4Fragment.trackLength &+ FMP4Fragment.soundLength
        let span = bytes.readableBytesSpan
        var at = 0
        buffer.reserveCapacity(minimumWritableBytes: samples.count &* (length &+ 8) &+ span.byteCount)
        for sample in samples {
            FMP4Fragment.writeHead(length: length, sequence: sequence, into: &buffer)
            FMP4Fragment.writeTrack(
                FMP4Description.audioTrack,
                time: sample.start,
                count: 1,
                dataOffset: length &+ 8,
                into: &buffer
            )
            FMP4Fragment.writeSound(sample, duration: sample.duration, into: &buffer)
            FMP4Fragment.writeDataHead(size: sample.size, into: &buffer)
            buffer.writeBytes(span.extracting(at..<at &+ sample.size))
            at &+= sample.size
            sequence &+= FMP4FrameMuxer.sequenceStep
        }
    }

    /// Appends the traf of all samples, each of which lasts up to the next one.
    func writeRun(dataOffset: Int, into buffer: inout ByteBuffer) {
        guard let first = samples.first else { return }
        FMP4Fragment.writeTrack(
            FMP4Description.audioTrack,
            time: first.start,
            count: samples.count,
            dataOffset: dataOffset,
            into: &buffer
        )
        for (index, sample) in samples.enumerated() {
            let isLast = index &+ 1 == samples.count
            let duration = isLast ? sample.duration : samples[index &+ 1].start &- sample.start
            FMP4Fragment.writeSound(sample, duration: duration, into: &buffer)
        }
    }

    /// Appends the bytes of all samples.
    func writeData(into buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(bytes)
    }
}

/// The names of media files, lal's: `<stream>-<unix_sec>.flv`, `<stream>-<unix_ms>-<n>.ts` in a folder of HLS. A second file
/// of the same moment is `<stream>-<unix_sec>-2.flv`.
struct RecordingFileName: Hashable, Sendable {
    var stream: String
    /// Unix milliseconds; of whole seconds but in HLS.
    var milliseconds: Int64
    /// HLS: counts from 0 in each publication.
    var number: Int?

    /// - Parameter copy: 1 for the first try, then 2, 3, ...
    func text(_ format: RecordingFormat, copy: Int = 1) -> String {
        let tail = (copy > 1 ? "-\(copy)." : ".") + format.fileExtension
        return format == .hls
            ? "\(stream)-\(milliseconds)-\(number ?? 0)\(tail)" : "\(stream)-\(milliseconds / 1000)\(tail)"
    }

    init(stream: String, milliseconds: Int64, number: Int? = nil) {
        self.stream = stream
        self.milliseconds = milliseconds
        self.number = number
    }

    /// Nil for a name that is not ours.
    init?(_ name: String, format: RecordingFormat) {
        let tail = "." + format.fileExtension
        guard name.hasSuffix(tail) else { return nil }
        var parts = name.dropLast(tail.count).split(separator: "-", omittingEmptySubsequences: false)
        let digits = format == .hls ? 13 : 10
        // A copy number stands behind the time (and number): without it the part in front is no time.
        func isTime(_ index: Int) -> Bool {
            parts.indices.contains(index) && parts[index].utf8.count == digits
                && parts[index].utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        let plain = format == .hls ? 2 : 1
        if !isTime(parts.count - plain), isTime(parts.count - plain - 1), let copy = parts.last.flatMap({ Int($0) }),
            copy >= 2
        {
            parts.removeLast()
        }
        guard isTime(parts.count - plain), let time = Int64(parts[parts.count - plain]) else { return nil }
        if format == .hls {
            guard let last = parts.last, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(last)
            else { return nil }
            number = count
            milliseconds = time
        } else {
            milliseconds = time.multipliedReportingOverflow(by: 1000).partialValue
        }
        stream = parts.dropLast(plain).joined(separator: "-")
        guard StreamFileName(stream) != nil else { return nil }
    }
}

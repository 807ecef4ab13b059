internal import Glibc
internal import Media
internal import NIOCore
internal import Synchronization
internal import Wire

/// One segment in a playlist.
struct HLSEntry: Hashable, Sendable {
    var file: String
    var milliseconds: Int64
    var isDiscontinuous = false

    var lines: String {
        let fraction = String(milliseconds % 1000)
        let zeros = String(repeating: "0", count: max(0, 3 - fraction.utf8.count))
        return (isDiscontinuous ? "#EXT-X-DISCONTINUITY\n" : "")
            + "#EXTINF:\(milliseconds / 1000).\(zeros)\(fraction),\n\(HLSNames.reference(file))\n"
    }
}

/// The `record.m3u8` of streams, in lal's form: everything that was recorded, with its end. They are rewritten under another
/// name and renamed, so that a reader sees a whole one always.
final class HLSPlaylists: Sendable {
    static let name = "record.m3u8"
    static let contentType = "application/x-mpegurl"
    /// A longer one is not ours.
    private static let maximumBytes = 16 << 20

    private let files: any RecordingFileSystem
    private let entryLimit: Int
    /// Writers and the retention change the same files.
    private let lock = Mutex(())

    init(files: any RecordingFileSystem, entryLimit: Int) {
        self.files = files
        self.entryLimit = max(1, entryLimit)
    }

    /// Adds segments at the end of a stream's playlist. One with too many entries is put aside first.
    func append(_ entries: [HLSEntry], stream: String, folder: String, now: Int64) throws(FileFailure) {
        guard let path = RecordingPath(folder: folder, subfolder: stream, file: Self.name) else {
            throw FileFailure("playlist", code: EINVAL)
        }
        try lock.withLock { _ throws(FileFailure) in
            var playlist = try read(path) ?? HLSPlaylist()
            if playlist.entries.count >= entryLimit {
                try files.rename(path, to: "record-\(now / 1000).m3u8")
                playlist = HLSPlaylist()
            }
            playlist.entries += entries
            try files.replace(path, with: ByteBuffer(string: playlist.text))
        }
    }

    /// Takes segments out of all playlists of a stream; one without entries is deleted.
    func remove(_ names: Set<String>, stream: String, folder: String) throws(FileFailure) {
        try rewrite(stream: stream, folder: folder) { playlist, _ in
            let before = playlist.entries.count
            playlist.remove(names)
            return playlist.entries.count != before
        }
    }

    /// Makes the playlists of a stream agree with the files that there are, in order.
    /// - Parameter segments: all of the stream, the oldest first.
    func agree(with segments: [HLSEntry], stream: String, folder: String) throws(FileFailure) {
        var unlisted = Set(segments.map(\.file))
        let known = unlisted
        try rewrite(stream: stream, folder: folder) { playlist, _ in
            let gone = Set(playlist.entries.map(\.file)).subtracting(known)
            unlisted.subtract(playlist.entries.map(\.file))
            playlist.remove(gone)
            return !gone.isEmpty
        }
        guard !unlisted.isEmpty else { return }
        let missing = segments.filter { unlisted.contains($0.file) }
        guard let path = RecordingPath(folder: folder, subfolder: stream, file: Self.name) else { return }
        try lock.withLock { _ throws(FileFailure) in
            var playlist = try read(path) ?? HLSPlaylist()
            playlist.entries += missing
            playlist.entries.sort { Self.order($0.file) < Self.order($1.file) }
            try files.replace(path, with: ByteBuffer(string: playlist.text))
        }
    }

    private static func order(_ file: String) -> HLSOrder {
        let name = RecordingFileName(file, format: .hls)
        return HLSOrder(milliseconds: name?.milliseconds ?? 0, number: name?.number ?? 0)
    }

    private func rewrite(
        stream: String,
        folder: String,
        _ change: (inout HLSPlaylist, RecordingPath) -> Bool
    ) throws(FileFailure) {
        try lock.withLock { _ throws(FileFailure) in
            for entry in try files.list(folder, subfolder: stream)
            where entry.name.hasPrefix("record") && entry.name.hasSuffix(".m3u8") && !entry.isFolder {
                guard let path = RecordingPath(folder: folder, subfolder: stream, file: entry.name),
                    var playlist = try read(path)
                else { continue }
                let isChanged = change(&playlist, path)
                if playlist.entries.isEmpty {
                    try files.remove(path)
                } else if isChanged {
                    try files.replace(path, with: ByteBuffer(string: playlist.text))
                }
            }
        }
    }

    private func read(_ path: RecordingPath) throws(FileFailure) -> HLSPlaylist? {
        let descriptor: CInt
        do throws(FileFailure) {
            descriptor = try files.open(path, forWriting: false)
        } catch {
            guard error.isAbsent else { throw error }
            return nil
        }
        defer { try? files.close(descriptor) }
        let size = try files.size(descriptor)
        let bytes = try files.read(descriptor, at: 0, count: min(size, Self.maximumBytes))
        return HLSPlaylist(String(buffer: bytes))
    }
}

private struct HLSOrder: Comparable {
    var milliseconds: Int64
    var number: Int

    static func < (one: HLSOrder, other: HLSOrder) -> Bool {
        (one.milliseconds, one.number) < (other.milliseconds, other.number)
    }
}

/// A playlist of what was recorded.
struct HLSPlaylist: Hashable {
    var entries: [HLSEntry] = []

    init() {}

    /// Reads one of ours, or of lal's; lines that mean nothing here are left out.
    init(_ text: String) {
        var milliseconds: Int64?
        var isDiscontinuous = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#EXTINF:") {
                milliseconds = Double(line.dropFirst(8).prefix { $0 != "," })
                    .flatMap { Int64(exactly: ($0 * 1000).rounded()) }
            } else if line.hasPrefix("#EXT-X-DISCONTINUITY") {
                isDiscontinuous = true
            } else if !line.hasPrefix("#"), let length = milliseconds {
                entries.append(
                    HLSEntry(
                        file: PercentEncoding.decode(line) ?? String(line),
                        milliseconds: length,
                        isDiscontinuous: isDiscontinuous
                    )
                )
                milliseconds = nil
                isDiscontinuous = false
            }
        }
    }

    mutating func remove(_ names: Set<String>) {
        var kept: [HLSEntry] = []
        var isDiscontinuous = false
        for var entry in entries {
            if names.contains(entry.file) {
                isDiscontinuous = true
                continue
            }
            entry.isDiscontinuous = entry.isDiscontinuous || isDiscontinuous
            isDiscontinuous = false
            kept.append(entry)
        }
        entries = kept
    }

    /// RFC 8216: no EXTINF, rounded, may be longer than the target.
    var targetSeconds: Int64 {
        let longest = entries.map(\.milliseconds).max() ?? 0
        return max(1, (min(longest, 1 << 40) + 500) / 1000)
    }

    var text: String {
        var text = """
            #EXTM3U
            #EXT-X-VERSION:3
            #EXT-X-TARGETDURATION:\(targetSeconds)
            #EXT-X-MEDIA-SEQUENCE:0


            """
        for entry in entries { text += entry.lines }
        return text + "#EXT-X-ENDLIST\n"
    }
}

extension FileFailure {
    /// There is nothing of that name.
    var isAbsent: Bool { code == ENOENT }
    /// A folder that has something in it.
    var isNotEmpty: Bool { code == ENOTEMPTY || code == EEXIST }
}

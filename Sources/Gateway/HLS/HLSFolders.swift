internal import Logging
internal import Media
internal import NIOCore
internal import Synchronization
internal import Transport

/// lal's folders of HLS: `out_path/<stream>/` with `playlist.m3u8`, `record.m3u8` and the segments. Everything is written in order
/// for each stream on a pool of threads; what a slow disk cannot take in time is left out, and the stream goes on.
final class HLSFolders: HLSFiles {
    enum CleanUp: Int, Sendable {
        case never
        case atEnd
        case asSoonAsPossible
    }

    struct Settings: Sendable {
        /// Ends with a slash.
        var root: String
        var cleanUp: CleanUp
        /// From the end of the input until its folder is removed.
        var removalDelay: TimeAmount
        /// Segments that stay when they have left memory (`delete_threshold`).
        var kept: Int
        /// Bytes of one stream that may wait for the disk.
        var maximumPending = 64 << 20
    }

    private struct Line {
        var jobs: [HLSFileChange] = []
        var pendingBytes = 0
        var isRunning = false
        /// A publication is under way: its folder stays.
        var isLive = false
        /// Counts publications, for removals that come too late.
        var publications = 0
        var droppedSegments = 0
        var fault: DiskFault?
        /// Told of, until a segment finds room again.
        var isSlow = false
        /// No longer in memory, oldest first.
        var expired: [String] = []
    }

    private struct Record {
        var list: HLSRecord
        /// The file is as the list.
        var isWritten: Bool
    }

    private let settings: Settings
    private let pool: BlockingPool
    private let readers = BlockingPool()
    private let reads = Mutex(0)
    private let loop: any EventLoop
    private let logger: Logger
    private let lines = Mutex<[String: Line]>([:])
    /// By stream; used on the pool, for one stream one after the other.
    private let records = Mutex<[String: Record]>([:])

    /// - Parameter loop: for the delay of removals.
    init(_ settings: Settings, pool: BlockingPool, loop: any EventLoop, logger: Logger) {
        self.settings = settings
        self.pool = pool
        self.loop = loop
        self.logger = logger
    }

    func apply(_ changes: [HLSFileChange], stream: String) {
        var slow: [String] = []
        let starts: Bool = lines.withLock { lines in
            var line = lines[stream] ?? Line()
            for change in changes {
                switch change {
                case .segment(_, let closing, _):
                    if !line.isLive {
                        line.isLive = true
                        line.publications += 1
                    }
                    let bytes = closing.bytes.readableBytes
                    guard line.pendingBytes + bytes <= settings.maximumPending else {
                        line.droppedSegments += 1
                        if !line.isSlow {
                            slow.append("segments of stream \(stream) are left out: the disk is too slow")
                        }
                        line.isSlow = true
                        continue
                    }
                    if line.isSlow { slow.append("segments of stream \(stream) are written again") }
                    line.isSlow = false
                    line.pendingBytes += bytes
                case .ended:
                    line.isLive = false
                case .livePlaylist:
                    // Only the newest counts.
                    line.jobs.removeAll { if case .livePlaylist = $0 { true } else { false } }
                case .expired:
                    break
                }
                line.jobs.append(change)
            }
            defer { lines[stream] = line }
            guard !line.isRunning, !line.jobs.isEmpty else { return false }
            line.isRunning = true
            return true
        }
        for text in slow { logger.warning("hls: \(text)") }
        if starts { pool.run { self.work(stream) } }
    }

    private func work(_ stream: String) {
        while true {
            let jobs: [HLSFileChange] = lines.withLock { lines in
                let jobs = lines[stream]?.jobs ?? []
                lines[stream]?.jobs = []
                if jobs.isEmpty { lines[stream]?.isRunning = false }
                // Nothing of a stream that is over is kept in memory: its files say it all.
                if jobs.isEmpty, settings.cleanUp == .never, lines[stream]?.isLive == false {
                    lines[stream] = nil
                    records.withLock { $0[stream] = nil }
                }
                return jobs
            }
            if jobs.isEmpty { return }
            for job in jobs {
                do throws(DiskFault) {
                    try perform(job, stream)
                    // Whatever was written, the disk takes it again.
                    if case .segment = job { note(nil, stream) }
                } catch {
                    note(error, stream)
                }
                if case .segment(_, let closing, _) = job {
                    lines.withLock { $0[stream]?.pendingBytes -= closing.bytes.readableBytes }
                }
            }
        }
    }

    private func perform(_ job: HLSFileChange, _ stream: String) throws(DiskFault) {
        let folder = DiskFolder("\(settings.root)\(stream)")
        switch job {
        case .segment(let opening, let closing, let targetSeconds):
            try folder.make()
            try folder.write(closing.bytes, to: closing.name)
            guard settings.cleanUp != .asSoonAsPossible else { return }
            var record = record(of: stream, folder)
            let change = record.append(opening, closing, targetSeconds: targetSeconds)
            // What could not be written is written with the next one: the file must not begin behind its end.
            let wasWhole = records.withLock { records in
                defer { records[stream] = Record(list: record, isWritten: false) }
                return records[stream]?.isWritten ?? false
            }
            switch change {
            case .write(let bytes, let position) where wasWhole && folder.size(of: Self.record) ?? 0 >= position:
                try folder.write(bytes, to: Self.record, at: position)
            case .write, .rewrite: try folder.replace(Self.record, with: record.playlist())
            case nil: break
            }
            records.withLock { $0[stream]?.isWritten = true }
        case .livePlaylist(let text):
            try folder.make()
            try folder.replace("playlist.m3u8", with: text)
        case .expired(let names):
            guard settings.cleanUp == .asSoonAsPossible else { return }
            let gone = lines.withLock { lines in
                var expired = (lines[stream]?.expired ?? []) + names
                let count = max(0, expired.count - settings.kept)
                let gone = Array(expired.prefix(count))
                expired.removeFirst(count)
                lines[stream]?.expired = expired
                return gone
            }
            for name in gone { folder.remove(name) }
        case .ended:
            if settings.cleanUp != .never { removeLater(stream) }
        }
    }

    private static let record = "record.m3u8"

    private func record(of stream: String, _ folder: DiskFolder) -> HLSRecord {
        if let known = records.withLock({ $0[stream]?.list }) { return known }
        return folder.read(Self.record, limit: HLSRecord.maximumBytes).map { HLSRecord(String(buffer: $0)) }
            ?? HLSRecord()
    }

    private func removeLater(_ stream: String) {
        let publications = lines.withLock { $0[stream]?.publications ?? 0 }
        loop.scheduleTask(in: settings.removalDelay) { [self] in
            pool.run { [self] in
                // Who publishes it meanwhile waits for the end of it, as for any other work.
                let isOver = lines.withLock { lines in
                    guard let line = lines[stream], !line.isLive, !line.isRunning, line.publications == publications
                    else { return false }
                    lines[stream]?.isRunning = true
                    return true
                }
                guard isOver else { return }
                records.withLock { $0[stream] = nil }
                DiskFolder("\(settings.root)\(stream)").removeAll { Self.isOwn($0, of: stream) }
                work(stream)
                lines.withLock { lines in
                    if let line = lines[stream], !line.isLive, !line.isRunning, line.jobs.isEmpty {
                        lines[stream] = nil
                    }
                }
            }
        }
    }

    /// A file that is ours: the folder may hold others.
    static func isOwn(_ name: String, of stream: String) -> Bool {
        let lists = ["playlist.m3u8", record]
        if lists.contains(name) || lists.contains(where: { name == $0 + ".bak" }) { return true }
        guard name.hasPrefix(stream + "-"), name.hasSuffix(".ts") else { return false }
        let numbers = name.dropFirst(stream.count + 1).dropLast(3)
            .split(separator: "-", omittingEmptySubsequences: false)
        return numbers.count == 2
            && numbers.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    }

    /// A fault is told once, and so is its end.
    private func note(_ fault: DiskFault?, _ stream: String) {
        let before = lines.withLock { lines in
            let before = lines[stream]?.fault
            lines[stream]?.fault = fault
            return before
        }
        switch (before, fault) {
        case (nil, let fault?):
            logger.error(
                "hls: stream \(stream) is not written: \(fault); it is served from memory, and writing goes on as soon as it can"
            )
        case (.some, nil):
            logger.notice("hls: stream \(stream) is written again")
        default: break
        }
    }

    /// Reads at a time: each has a file in memory.
    private static let maximumReads = 32
    private static let longestFile = 256 << 20

    func read(_ name: String, stream: String, then: @escaping @Sendable (ByteBuffer?) -> Void) {
        reading(then) { [settings] in
            DiskFolder("\(settings.root)\(stream)").read(name, limit: Self.longestFile)
        }
    }

    /// Readers have threads of their own: a disk that hangs shall not hold the writers.
    private func reading(
        _ then: @escaping @Sendable (ByteBuffer?) -> Void,
        _ body: @escaping @Sendable () -> ByteBuffer?
    ) {
        let mayRead = reads.withLock { reads in
            guard reads < Self.maximumReads else { return false }
            reads += 1
            return true
        }
        guard mayRead else {
            then(nil)
            return
        }
        readers.run { [self] in
            let bytes = body()
            reads.withLock { $0 -= 1 }
            then(bytes)
        }
    }

    func record(of stream: String, query: String, then: @escaping @Sendable (ByteBuffer?) -> Void) {
        reading(then) { [self] in
            let record = record(of: stream, DiskFolder("\(settings.root)\(stream)"))
            return record.isEmpty ? nil : record.playlist(query: query)
        }
    }

    /// What goes wrong with the disk, and segments that it was too slow for, by stream.
    var troubles: [String: (fault: String, droppedSegments: Int)] {
        lines.withLock { lines in
            lines.compactMapValues { line in
                guard line.fault != nil || line.droppedSegments > 0 else { return nil }
                return (line.fault.map { "\($0)" } ?? "", line.droppedSegments)
            }
        }
    }
}

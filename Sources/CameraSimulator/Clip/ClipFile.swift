internal import FoundationEssentials
internal import Media

extension Clip {
    /// Reads `name.h264` or `name.h265` and the sound that lies next to it: `name.alaw`, `name.ulaw` (8 kHz, mono) or
    /// `name.aac` (ADTS).
    package static func load(path: String, frameRate: Int = 25) throws(ClipError) -> Clip {
        guard let dot = path.lastIndex(of: ".") else { throw .unsupportedName(path: path) }
        let codec: VideoCodec
        switch path[dot...] {
        case ".h264": codec = .h264
        case ".h265": codec = .h265
        default: throw .unsupportedName(path: path)
        }
        var audio: (bytes: [UInt8], codec: AudioCodec)?
        let kinds: [(String, AudioCodec)] = [(".alaw", .g711a), (".ulaw", .g711u), (".aac", .aac)]
        for (suffix, kind) in kinds {
            let name = path[..<dot] + suffix
            guard FileManager.default.fileExists(atPath: String(name)) else { continue }
            audio = (try read(String(name)), kind)
            break
        }
        let clip = Clip(annexB: try read(path), codec: codec, frameRate: frameRate, audio: audio)
        guard let clip else { throw .notAVideo(path: path) }
        return clip
    }

    private static func read(_ path: String) throws(ClipError) -> [UInt8] {
        do {
            return [UInt8](try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
    }
}

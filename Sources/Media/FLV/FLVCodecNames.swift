/// What an operator reads in the log about a codec that is not carried.
extension FLVCodecHeader {
    var unsupportedVideoName: String {
        if isEnhancedVideo {
            switch rawFourCC {
            case 0x7670_3038: return "VP8"
            case 0x7676_6331: return "VVC"
            default: return "FourCC " + printableFourCC
            }
        }
        return switch videoCodecID {
        case 2: "Sorenson H.263"
        case 3: "Screen video"
        case 4: "VP6"
        case 5: "VP6 with alpha"
        case 6: "Screen video 2"
        default: "video codec id \(videoCodecID)"
        }
    }

    var unsupportedAudioName: String {
        if audioFormat == FLVAudio.formatEnhanced {
            switch rawFourCC {
            case 0x6163_2D33: return "AC-3"
            case 0x6563_2D33: return "E-AC-3"
            case 0x664C_6143: return "FLAC"
            default: return "FourCC " + printableFourCC
            }
        }
        return switch audioFormat {
        case 0, 3: "PCM"
        case 1: "ADPCM"
        case 4, 5, 6: "Nellymoser"
        case 11: "Speex"
        default: "sound format \(audioFormat)"
        }
    }

    /// A peer's four bytes, safe to write into a log.
    private var printableFourCC: String {
        var text = ""
        for index in 1...4 {
            let byte = self[index]
            text.unicodeScalars.append((0x21...0x7E).contains(byte) ? Unicode.Scalar(byte) : "?")
        }
        return text
    }
}

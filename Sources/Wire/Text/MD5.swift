/// MD5 as texts of hexadecimal digits: what lal's `lal_secret` and RTMP's authentications are made of.
package enum MD5 {
    /// 32 digits in lower case, of the text's UTF-8.
    package static func hexadecimal(_ text: String) -> String {
        DigestText.md5(text)
    }
}

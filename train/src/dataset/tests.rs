use std::fs;

use tempfile::TempDir;

use super::*;

/// A folder with these files, each holding its own name.
fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

fn table(folder: &TempDir, name: &str, text: &str) -> Source {
    fs::write(folder.path().join(name), text).unwrap();
    Source::at(folder.path().join(name))
}

fn told(dataset: &Dataset) -> Vec<(String, String, Option<Part>)> {
    let told =
        |picture: &Picture| (picture.name.clone(), picture.category.to_string(), picture.part);
    dataset.pictures.iter().map(told).collect()
}

fn plain(name: &str, category: &str) -> (String, String, Option<Part>) {
    (name.to_owned(), category.to_owned(), None)
}

#[test]
fn nested_folders_are_category_paths() {
    let folder = folder(&["Shoes/Flat/a.jpg", "Shoes/b.PNG", "Hats/c.webp"]);
    let dataset = Dataset::open(&Source::at(folder.path())).unwrap();
    let expected = [
        plain("Hats/c.webp", "Hats"),
        plain("Shoes/Flat/a.jpg", "Shoes > Flat"),
        plain("Shoes/b.PNG", "Shoes"),
    ];
    assert_eq!(told(&dataset), expected);
}

#[test]
fn what_is_no_picture_of_a_category_is_told() {
    let folder = folder(&["Hats/a.jpg", "Hats/notes.txt", "b.jpg", "Hats/.hidden.jpg"]);
    let dataset = Dataset::open(&Source::at(folder.path())).unwrap();
    assert_eq!(told(&dataset), [plain("Hats/a.jpg", "Hats")]);
    let names: Vec<&str> = dataset.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
    assert_eq!(names, ["Hats/notes.txt", "b.jpg"]);
}

#[test]
fn folders_called_train_and_validation_are_a_split_that_is_given() {
    let folder = folder(&["train/Hats/a.jpg", "val/Hats/b.jpg"]);
    let dataset = Dataset::open(&Source::at(folder.path())).unwrap();
    let parts: Vec<_> = dataset.pictures.iter().map(|picture| picture.part.unwrap()).collect();
    assert_eq!(parts, [Part::Train, Part::Validation]);
    assert_eq!(dataset.pictures[0].category.to_string(), "Hats");
}

#[test]
fn a_category_may_be_called_test() {
    let folder = folder(&["test/a.jpg", "Hats/b.jpg"]);
    let dataset = Dataset::open(&Source::at(folder.path())).unwrap();
    assert_eq!(told(&dataset), [plain("Hats/b.jpg", "Hats"), plain("test/a.jpg", "test")]);
}

#[test]
fn a_table_names_pictures_beside_it() {
    let folder = folder(&["p/1.jpg", "p/2.jpg"]);
    let text = "image,label,split\np/1.jpg,Shoes > Flat,test\np/2.jpg,Hats,\n";
    let dataset = Dataset::open(&table(&folder, "list.csv", text)).unwrap();
    let first = ("p/1.jpg".to_owned(), "Shoes > Flat".to_owned(), Some(Part::Test));
    assert_eq!(told(&dataset), [first, plain("p/2.jpg", "Hats")]);
    assert_eq!(dataset.pictures[0].place.read(100).unwrap(), b"p/1.jpg");
}

#[test]
fn json_lines_may_give_a_path_as_an_array() {
    let folder = folder(&["1.jpg"]);
    let text = "{\"file\":\"1.jpg\",\"category\":[\"Shoes\",\"Flat\"]}\n\n";
    let dataset = Dataset::open(&table(&folder, "list.jsonl", text)).unwrap();
    assert_eq!(told(&dataset), [plain("1.jpg", "Shoes > Flat")]);
}

#[test]
fn columns_can_be_named_and_pictures_can_lie_in_an_archive() {
    let folder = folder(&[]);
    let archive = folder.path().join("images.tar");
    let mut tar = tar::Builder::new(fs::File::create(&archive).unwrap());
    for (name, content) in [("images/7.jpg", "seven"), ("images/8.jpg", "eight")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.finish().unwrap();
    let text = "id,master,sub\n8,Shoes,Flat\n7,Hats,Caps\n9,Hats,Caps\n";
    let source = Source {
        images: Some(archive),
        image_column: Some("id".to_owned()),
        category_columns: vec!["master".to_owned(), "sub".to_owned()],
        ..table(&folder, "list.csv", text)
    };
    let dataset = Dataset::open(&source).unwrap();
    assert_eq!(told(&dataset), [plain("7", "Hats > Caps"), plain("8", "Shoes > Flat")]);
    assert_eq!(dataset.pictures[1].place.read(100).unwrap(), b"eight");
    assert_eq!(dataset.skipped, [Skipped::new("9", "there is no such picture")]);
}

#[test]
fn a_row_without_a_sense_is_skipped_and_told() {
    let folder = folder(&["1.jpg"]);
    let text = "image,category,split\n1.jpg,,\n,Hats,\n1.jpg,Hats,holiday\n1.jpg,Hats,\n";
    let dataset = Dataset::open(&table(&folder, "list.csv", text)).unwrap();
    assert_eq!(told(&dataset), [plain("1.jpg", "Hats")]);
    let reasons: Vec<_> = dataset.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["it has no category", "it names no picture", "\"holiday\" is no part of a split"]
    );
    assert_eq!(dataset.skipped[1].name, "line 3");
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = folder(&["1.jpg", "notes.txt"]);
    let error = |source: &Source| Dataset::open(source).unwrap_err().to_string();
    let source = table(&folder, "list.csv", "name,category\n1.jpg,Hats\n");
    assert!(error(&source).contains("there is no column image or file"), "{}", error(&source));
    let source = table(&folder, "torn.jsonl", "{\"image\":\n");
    assert!(error(&source).contains("line 1"), "{}", error(&source));
    let source = table(&folder, "empty.csv", "image,category\n2.jpg,Hats\n");
    assert!(error(&source).contains("no picture"), "{}", error(&source));
    assert!(error(&Source::at(folder.path().join("notes.txt"))).contains("a data set is"));
    assert!(error(&Source::at(folder.path().join("nowhere"))).contains("there is no"));
}

#[test]
fn a_file_past_the_limit_is_not_read() {
    let folder = folder(&["Hats/a.jpg"]);
    let dataset = Dataset::open(&Source::at(folder.path())).unwrap();
    let error = dataset.pictures[0].place.read(3).unwrap_err();
    assert!(error.to_string().contains("3 are allowed"), "{error}");
}
